package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;

/**
 * Which devices a command of this migration may have reached. A side is entered before the first
 * command is given to it, and leaves only when its agent refused that command before it did
 * anything, or when it was rolled back and its agent has confirmed that.
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Touched(
    @JsonPropertyDescription("A command may have reached the source device.") @Required
        boolean source,
    @JsonPropertyDescription("A command may have reached the destination device.") @Required
        boolean destination) {

  /** No command was given. */
  public static final Touched NEITHER = new Touched(false, false);

  /** What has to be assumed where nothing was recorded although the migration was under way. */
  public static final Touched BOTH = new Touched(true, true);
}
