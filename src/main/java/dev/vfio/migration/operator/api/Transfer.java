package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.kubernetes.api.model.Quantity;

/** How the state travels between the two agents. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Transfer(
    @JsonPropertyDescription(
            "Bytes per second that copying may use over all streams while the workload runs, or a"
                + " quantity such as 500Mi. Not applied while the workload is paused. Unset or 0 is"
                + " no limit.")
        Quantity bandwidthLimit,
    @JsonPropertyDescription("Streams to copy over in parallel.") @Default("1") @Min(1) @Max(16)
        Integer streams) {

  /** What cannot be computed with is not even kept: such a quantity cannot be compared either. */
  public Transfer {
    ByteSize.requireNumber(bandwidthLimit);
  }
}
