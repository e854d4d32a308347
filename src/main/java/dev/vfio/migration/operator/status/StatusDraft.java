package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.api.SwitchoverStart;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The status that one decision records: begins with the last one, and replaces the groups that
 * change. Lives for one decision and is not thread-safe.
 */
public final class StatusDraft {
  private final Instant now;
  private final Instant steady;
  private final FirstSeenTimes firstSeen;
  private final long generation;

  private PhaseHistory phases;
  private HandoverRecord handover;
  private DeviceRecord devices;
  private CopyProgress progress;
  private Pause pause;
  private Conditions conditions;

  /** For a status in which no duration is counted. */
  public StatusDraft(Instant now, long generation, DeviceMigrationStatus before) {
    this(now, Instant.EPOCH, FirstSeenTimes.NONE, generation, before);
  }

  /**
   * @param now the time of day, for what is recorded
   * @param steady the same moment by the monotonic clock that {@code firstSeen} was taken from
   */
  public StatusDraft(
      Instant now,
      Instant steady,
      FirstSeenTimes firstSeen,
      long generation,
      DeviceMigrationStatus before) {
    this.now = now;
    this.steady = steady;
    this.firstSeen = firstSeen;
    this.generation = generation;
    RecordedStatus recorded = StatusWriter.read(before);
    this.phases = recorded.phases().withLostEntry(now);
    this.handover = recorded.handover().orAssumed(phases.phase());
    this.devices = recorded.devices();
    this.progress = recorded.progress();
    this.pause = recorded.pause();
    this.conditions = recorded.conditions();
  }

  public DeviceMigrationStatus build(int attempt) {
    return StatusWriter.write(
        new RecordedStatus(phases, handover, devices, progress, pause, conditions),
        generation,
        attempt);
  }

  public Phase phase() {
    return phases.phase();
  }

  /** Enters {@code next}; entering the present phase does nothing. */
  public StatusDraft enter(Phase next) {
    phases = phases.enter(next, now);
    return this;
  }

  /** Whether {@code entered} is the phase, or was one. */
  public boolean wasIn(Phase entered) {
    return phases.wasIn(entered);
  }

  /**
   * How long {@code entered} has lasted since it was last entered, as far as this process saw it.
   */
  public Duration timeIn(Phase entered) {
    return phases
        .lastEntry(entered)
        .flatMap(firstSeen::of)
        .map(since -> Duration.between(since, steady))
        .orElse(Duration.ZERO);
  }

  /** How long a condition has had its status, as far as this process saw it. */
  public Optional<Duration> timeSinceChange(ConditionType type) {
    return conditions
        .find(type)
        .flatMap(firstSeen::of)
        .map(since -> Duration.between(since, steady));
  }

  public StatusDraft condition(
      ConditionType type, Condition.Status status, ConditionReason reason, String message) {
    conditions = conditions.with(type, status, reason, message, now, generation);
    return this;
  }

  /** The reason that a condition carries now; NOT_STARTED where there is none yet. */
  public ConditionReason reasonOf(ConditionType type) {
    return conditions
        .find(type)
        .map(known -> ConditionReason.of(known.reason()).orElse(ConditionReason.AGENT_FAILED))
        .orElse(ConditionReason.NOT_STARTED);
  }

  /** The message that a condition carries now; empty where there is none yet. */
  public String messageOf(ConditionType type) {
    return conditions.find(type).map(Condition::message).orElse("");
  }

  /** True when a command may have reached that side's device. */
  public boolean touched(Role side) {
    return handover.isTouched(side);
  }

  /**
   * From now on a command may reach that side's device. To be recorded before the command is given.
   */
  public StatusDraft touch(Role side) {
    handover = handover.withTouched(side, true);
    return this;
  }

  /** That side's device is where it was before, or was never anywhere else. */
  public StatusDraft settle(Role side) {
    handover = handover.withTouched(side, false);
    return this;
  }

  /** From now on commands are given under that number of a leader's. */
  public StatusDraft ledUnder(long fencingNumber) {
    handover = handover.ledUnder(fencingNumber);
    return this;
  }

  /** The handover decision: the destination owns the state. Only from Undecided. */
  public StatusDraft commit() {
    handover = handover.committed();
    return enter(Phase.COMMITTED);
  }

  /** The handover decision: the source keeps the state. Only from Undecided. */
  public StatusDraft rollBack(ConditionReason reason, String message, boolean cancelled) {
    handover = handover.rolledBack(new Rollback(reason.text(), message, cancelled));
    condition(
        ConditionType.HANDED_OVER,
        Condition.Status.FALSE,
        ConditionReason.ROLLED_BACK,
        "The source keeps the state. Succeeded says why.");
    endCopy();
    return dropProgress().enter(Phase.ROLLING_BACK);
  }

  /**
   * A second decision, after Committed: the source runs again, because the destination gave up what
   * it had lost. Only once.
   */
  public StatusDraft takeBack(ConditionReason reason, String message) {
    handover = handover.takenBack(new Rollback(reason.text(), message, false));
    condition(ConditionType.HANDED_OVER, Condition.Status.FALSE, reason, message);
    condition(ConditionType.SUCCEEDED, Condition.Status.FALSE, reason, message);
    return dropProgress().enter(Phase.ROLLING_BACK);
  }

  /**
   * Why the copy did not converge stays; that it still copies, or waits to switch over, does not.
   */
  private void endCopy() {
    ConditionReason last = reasonOf(ConditionType.CONVERGED);
    if (last == ConditionReason.STALLED || last == ConditionReason.TOO_LONG) {
      return;
    }
    String figures =
        last == ConditionReason.NOT_STARTED
            ? ""
            : " Last said: " + messageOf(ConditionType.CONVERGED);
    condition(
        ConditionType.CONVERGED,
        Condition.Status.FALSE,
        ConditionReason.ROLLED_BACK,
        "Rolled back: the copy is dropped." + figures);
  }

  /**
   * Rolled back before anything was touched: Validated says why, and nothing is left to be done.
   */
  public StatusDraft refuse(ConditionReason reason, String message) {
    return condition(ConditionType.VALIDATED, Condition.Status.FALSE, reason, message)
        .condition(
            ConditionType.SUCCEEDED,
            Condition.Status.FALSE,
            reason,
            "Refused before anything was touched. Validated says why.")
        .endUntouched(reason, message, false);
  }

  /**
   * The handover decision where nothing was touched, so that nothing has to be rolled back. Only
   * from Undecided.
   */
  public StatusDraft endUntouched(ConditionReason reason, String message, boolean cancelled) {
    handover = handover.rolledBack(new Rollback(reason.text(), message, cancelled));
    condition(
        ConditionType.HANDED_OVER,
        Condition.Status.FALSE,
        ConditionReason.ROLLED_BACK,
        "Nothing was handed over, and nothing was touched.");
    condition(
        ConditionType.CONVERGED,
        Condition.Status.FALSE,
        ConditionReason.NOT_STARTED,
        "Nothing was copied.");
    notReady(ConditionType.SOURCE_READY, devices.source());
    notReady(ConditionType.DESTINATION_READY, devices.destination());
    return enter(cancelled ? Phase.CANCELLED : Phase.FAILED);
  }

  private void notReady(ConditionType type, String seenIn) {
    condition(
        type,
        Condition.Status.FALSE,
        ConditionReason.NOT_STARTED,
        "Its device was not touched."
            + (seenIn == null ? "" : " It was seen in " + seenIn + " before that was decided."));
  }

  /** Why it was rolled back; empty where it was not. */
  public Optional<Rollback> rollback() {
    return Optional.ofNullable(handover.rollback());
  }

  /** Device states as both agents report them. */
  public StatusDraft deviceStates(DeviceState source, DeviceState destination) {
    devices = devices.seenIn(source, destination);
    return this;
  }

  /** The interface that both devices speak, as the source's agent listed it. */
  public StatusDraft migrationInterface(MigrationInterface spoken) {
    devices = devices.by(spoken);
    return this;
  }

  /** Ends a sentence about a device whose state is not known now. */
  public String lastSeen(Role side) {
    String state = devices.state(side);
    return state == null ? " It was never seen in any." : " It was last seen in " + state + ".";
  }

  public StatusDraft progress(Progress reported) {
    progress = progress.reported(reported);
    return this;
  }

  public StatusDraft estimatedDowntime(Optional<Duration> estimate) {
    progress = progress.estimating(estimate);
    return this;
  }

  /** The copy is dropped: nothing of its progress is true any more. */
  public StatusDraft dropProgress() {
    progress = progress.dropped();
    return this;
  }

  /** Everything arrived: nothing is pending any more. */
  public StatusDraft arrived() {
    progress = progress.arrived();
    return this;
  }

  /** What was known when the pause began; empty where it is not recorded yet. */
  public Optional<SwitchoverStart> switchoverStart() {
    return Optional.ofNullable(pause.start());
  }

  /** Records what is known when the pause begins, once something is. The first record stays. */
  public StatusDraft switchoverStart(Progress known) {
    pause = pause.begun(known);
    return this;
  }

  /** The measured pause. Zero is "not measured". */
  public StatusDraft downtime(long nanos) {
    pause = pause.measured(nanos);
    return this;
  }
}
