package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.Quantity;

/**
 * When to pause the workload. Durations are Go-style ({@code 300ms}, {@code 1m30s}), sizes
 * quantities or plain bytes.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Convergence(
    @JsonPropertyDescription(
            "Live: copy while the workload runs and pause it only for the rest. Cold: pause it"
                + " first and copy everything in the pause.")
        @Default("Live")
        Mode mode,
    @JsonPropertyDescription(
            "The longest pause of the workload that is acceptable. Live mode switches over once"
                + " what is pending is estimated to take no longer than this at the measured rate."
                + " A duration such as 300ms.")
        @Default("300ms")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "downtimeLimit must be a duration of at least 1ms")
        String downtimeLimit,
    @JsonPropertyDescription(
            "Live mode also switches over once no more than this is pending, whatever the estimate"
                + " says. Bytes, or a quantity such as 64Ki.")
        @Default("64Ki")
        Quantity thresholdBytes,
    @JsonPropertyDescription(
            "The longest that copying may go on without converging; then onStall applies. Does not"
                + " run while a converged copy waits for a Manual switchover. A duration such as"
                + " 30m.")
        @Default("30m")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "maxDuration must be a duration of at least 1ms")
        String maxDuration,
    @JsonPropertyDescription(
            "What to do when the workload changes its state faster than it can be copied. Cancel:"
                + " go on at the source, nothing is lost. Switchover: pause it anyway and accept a"
                + " downtime above downtimeLimit.")
        @Default("Cancel")
        OnStall onStall) {

  /** What cannot be computed with is not even kept: such a quantity cannot be compared either. */
  public Convergence {
    ByteSize.requireNumber(thresholdBytes);
  }

  static final String DURATION = "^([0-9]{1,9}(\\.[0-9]{1,9})?(ns|us|ms|s|m|h)){1,4}$";
  static final int MAX_DURATION_LENGTH = 32;
  static final String POSITIVE = "duration(self) >= duration('1ms')";

  /** At most 999999.999Ti, which still fits into 63 bits. */
  static final String SIZE = "^([0-9]{1,18}|[0-9]{1,6}(\\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T))$";

  /** How the state is copied. */
  public enum Mode {
    @JsonProperty("Live")
    LIVE,
    @JsonProperty("Cold")
    COLD
  }

  /** What follows when copying does not converge. */
  public enum OnStall {
    @JsonProperty("Cancel")
    CANCEL,
    @JsonProperty("Switchover")
    SWITCHOVER
  }
}
