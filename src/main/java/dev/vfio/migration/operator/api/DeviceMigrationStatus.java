package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import java.util.List;

/**
 * What the operator observed and decided. Only the operator writes it. Numbers that programs need
 * stand beside the words that people read ({@code pending.total} and {@code pending.summary};
 * {@code bytesPerSecond} and {@code rate}; {@code downtimeMicroseconds} and {@code downtime}).
 *
 * @param unreadable why this status could not be read, or null when it could; never written
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
@JsonDeserialize(using = TolerantReader.OfStatus.class)
public record DeviceMigrationStatus(
    @JsonPropertyDescription("Where the migration stands.") Phase phase,
    @JsonPropertyDescription("The metadata.generation that the operator has acted on.")
        Long observedGeneration,
    @JsonPropertyDescription("Which attempt this is, from 1. Logs of operator and agents carry it.")
        @Min(0)
        Integer attempt,
    @JsonPropertyDescription(
            "Who owns the state: Undecided, Committed (the destination), RolledBack (the source)."
                + " Decided once.")
        Handover handover,
    @JsonPropertyDescription(
            "Why it was rolled back, or taken back after it was Committed; unset otherwise.")
        Rollback rollback,
    @JsonPropertyDescription(
            "State of the source device, by the migration interface's own names (RUNNING, SETUP,"
                + " PRECOPY, ...).")
        String sourceState,
    @JsonPropertyDescription(
            "State of the destination device, by the migration interface's own names (NONE, RESUME,"
                + " ...).")
        String destinationState,
    @JsonPropertyDescription(
            "The migration interface of both devices: REGION_2018, REGION_V1 or FEATURE_V2.")
        String migrationInterface,
    @JsonPropertyDescription("What is still to be copied.") PendingBytes pending,
    @JsonPropertyDescription(
            "Roughly how much of the work is done, 0 to 100. May fall while the workload changes"
                + " its state.")
        @Min(0)
        @Max(100)
        Integer progressPercent,
    @JsonPropertyDescription(
            "Payload bytes sent so far: device state and memory, repeats included.")
        Long transferredBytes,
    @JsonPropertyDescription("How fast it is being copied, for people, such as 412Mi/s.")
        String rate,
    @JsonPropertyDescription("How fast it is being copied. Payload bytes per second.")
        Long bytesPerSecond,
    @JsonPropertyDescription(
            "Pages sent because the device had marked them dirty, over all rounds.")
        Long dirtyPages,
    @JsonPropertyDescription("Completed precopy rounds.") Long iterations,
    @JsonPropertyDescription("How long the pause would be if it began now, such as 87ms.")
        String estimatedDowntime,
    @JsonPropertyDescription(
            "How long the workload was paused, such as 87.4ms: until the destination was RUNNING,"
                + " or until the source went on after a rollback.")
        String downtime,
    @JsonPropertyDescription("The same in microseconds.") Long downtimeMicroseconds,
    @JsonPropertyDescription(
            "Which devices a command may have reached that are not known to be back in the state"
                + " they were in before.")
        Touched touched,
    @JsonPropertyDescription(
            "Fencing number of the leader that records this, in decimal: a replica that does not"
                + " lead tells its decision to agents under this number, and agents that a later"
                + " leader has commanded refuse it.")
        String fencingNumber,
    @JsonPropertyDescription(
            "What was known when the pause began (Cold: when it was first reported). The limit of"
                + " SwitchingOver is computed from it.")
        SwitchoverStart switchoverStart,
    @JsonPropertyDescription("When each phase was entered, oldest first; the last 32.")
        List<PhaseTransition> phaseTransitions,
    @JsonPropertyDescription(
            "Validated, SourceReady, DestinationReady, Converged, HandedOver, Succeeded."
                + " docs/reference.md explains each.")
        List<Condition> conditions,
    @JsonIgnore String unreadable) {

  public DeviceMigrationStatus {
    phaseTransitions = phaseTransitions == null ? List.of() : List.copyOf(phaseTransitions);
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
  }

  /** The status of an object that no operator has seen yet. */
  public static final DeviceMigrationStatus EMPTY =
      new DeviceMigrationStatus(
          null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
          null, null, null, null, null, null, null, null, null);

  /** The phase; Pending before the operator has seen the object. */
  public Phase phaseOrPending() {
    return phase == null ? Phase.PENDING : phase;
  }

  /** Whether the source was taken back after the handover was committed. */
  public boolean takenBack() {
    return handover == Handover.COMMITTED && rollback != null;
  }

  /** The decision; Undecided where none is recorded. */
  public Handover handoverOrUndecided() {
    return handover == null ? Handover.UNDECIDED : handover;
  }

  /** A status that could not be read, and why. */
  static DeviceMigrationStatus unreadable(String why) {
    return new DeviceMigrationStatus(
        null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null, null, null, null, null, null, why);
  }
}
