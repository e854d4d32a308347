package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;

/**
 * One aspect of the migration, as Kubernetes writes conditions. An own type and not Fabric8's, so
 * that the CRD can mark the list as a map keyed by {@code type}.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Condition(
    @JsonPropertyDescription(
            "Validated, SourceReady, DestinationReady, Converged, HandedOver or Succeeded.")
        @Required
        @Size(min = 1, max = 316)
        String type,
    @JsonPropertyDescription("True, False, or Unknown while that is not known.") @Required
        Status status,
    @JsonPropertyDescription("Why, in one word; docs/reference.md lists them all.")
        @Required
        @Size(min = 1, max = 1024)
        @Pattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
        String reason,
    @JsonPropertyDescription("Why, for people.") @Required @Size(max = 32768) String message,
    @JsonPropertyDescription("When status last changed (RFC 3339).") @Required
        String lastTransitionTime,
    @JsonPropertyDescription("The metadata.generation that this condition describes.") @Min(0)
        Long observedGeneration) {

  /** Whatever a message holds, and however long it is, can be recorded. */
  public Condition {
    message = ForeignText.inStatus(message);
  }

  /** The same with another message. */
  public Condition saying(String other) {
    return new Condition(type, status, reason, other, lastTransitionTime, observedGeneration);
  }

  /** The three values that Kubernetes knows. */
  public enum Status {
    @JsonProperty("True")
    TRUE,
    @JsonProperty("False")
    FALSE,
    @JsonProperty("Unknown")
    UNKNOWN
  }
}
