package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;

/**
 * How long each phase may last. Go-style durations. PreCopy is bounded by {@code
 * convergence.maxDuration}.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Timeouts(
    @JsonPropertyDescription(
            "How long Validating waits for an agent that does not answer; then the migration fails,"
                + " with nothing touched.")
        @Default("2m")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "validating must be a duration of at least 1ms")
        String validating,
    @JsonPropertyDescription(
            "How long Preparing may take to set both devices up and connect them; then it rolls"
                + " back.")
        @Default("1m")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "preparing must be a duration of at least 1ms")
        String preparing,
    @JsonPropertyDescription(
            "How long SwitchingOver, with the workload paused, may take; then it rolls back and the"
                + " workload goes on at the source. Unset: 1m, and 1s for every 8Mi that was"
                + " pending when the pause began; at most four times that while more turns up.")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "switchingOver must be a duration of at least 1ms")
        String switchingOver,
    @JsonPropertyDescription(
            "How long the destination may take to run the device after the handover is Committed;"
                + " then the phase becomes ActionRequired and the operator keeps trying to"
                + " activate.")
        @Default("30s")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "activating must be a duration of at least 1ms")
        String activating,
    @JsonPropertyDescription(
            "How long both sides may take to roll back; then the phase becomes ActionRequired and"
                + " the operator keeps trying to roll back.")
        @Default("1m")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "rollingBack must be a duration of at least 1ms")
        String rollingBack,
    @JsonPropertyDescription(
            "How long an agent may be unreachable between Preparing and the handover before the"
                + " migration rolls back. It goes on if the agent comes back earlier.")
        @Default("30s")
        @Size(min = 2, max = Convergence.MAX_DURATION_LENGTH)
        @Pattern(Convergence.DURATION)
        @ValidationRule(
            value = Convergence.POSITIVE,
            message = "agentUnavailable must be a duration of at least 1ms")
        String agentUnavailable) {}
