package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.generator.annotation.Required;

/**
 * Why the migration was rolled back. Written together with {@code handover: RolledBack} and, like
 * it, never changed.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Rollback(
    @JsonPropertyDescription("Why, in one word; one of the condition reasons.") @Required
        String reason,
    @JsonPropertyDescription(
            "Why, for people: what happened where, what was done to the devices, what to do next.")
        @Required
        String message,
    @JsonPropertyDescription(
            "True when the migration was cancelled (by its user, by its deletion, or because it did"
                + " not converge).")
        @Required
        boolean cancelled) {

  /** Whatever a message holds, and however long it is, can be recorded. */
  public Rollback {
    message = ForeignText.inStatus(message);
  }
}
