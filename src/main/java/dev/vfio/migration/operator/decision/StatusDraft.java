package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.PendingBytes;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.api.SwitchoverStart;
import dev.vfio.migration.operator.api.Touched;
import dev.vfio.migration.operator.text.ForeignText;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The one builder of a status: starts from the last one, keeps what does not change, and owns the
 * conditions and their lastTransitionTime. Lives for one decision and is not thread-safe.
 */
final class StatusDraft {
  static final int MOST_TRANSITIONS = 32;

  /** What an agent puts before the reason that it was told to roll back for. */
  private static final String REPEATS = "^(the operator rolled back: [A-Za-z]*:)?[.\\s]*";

  private final Instant now;
  private final Instant steady;
  private final FirstSights sights;
  private final long generation;
  private final Map<ConditionType, Condition> conditions = new EnumMap<>(ConditionType.class);
  private final List<PhaseTransition> transitions;

  private Phase phase;
  private Handover handover;
  private Rollback rollback;
  private String sourceState;
  private String destinationState;
  private String migrationInterface;
  private PendingBytes pending;
  private Integer progressPercent;
  private Long transferredBytes;
  private Long bytesPerSecond;
  private Long dirtyPages;
  private Long iterations;
  private String estimatedDowntime;
  private Long downtimeMicroseconds;
  private Touched touched;
  private SwitchoverStart switchoverStart;

  StatusDraft(Observation seen) {
    this(seen.now(), seen.steady(), seen.sights(), seen.generation(), seen.status());
  }

  /** For a status that nothing is counted from. */
  StatusDraft(Instant now, long generation, DeviceMigrationStatus before) {
    this(now, Instant.EPOCH, FirstSights.NONE, generation, before);
  }

  private StatusDraft(
      Instant now,
      Instant steady,
      FirstSights sights,
      long generation,
      DeviceMigrationStatus before) {
    this.now = now;
    this.steady = steady;
    this.sights = sights;
    this.generation = generation;
    this.phase = before.phase();
    this.handover = before.handover() == null ? Handover.UNDECIDED : before.handover();
    this.rollback = before.rollback();
    this.sourceState = before.sourceState();
    this.destinationState = before.destinationState();
    this.migrationInterface = before.migrationInterface();
    this.pending = before.pending();
    this.progressPercent = before.progressPercent();
    this.transferredBytes = before.transferredBytes();
    this.bytesPerSecond = before.bytesPerSecond();
    this.dirtyPages = before.dirtyPages();
    this.iterations = before.iterations();
    this.estimatedDowntime = before.estimatedDowntime();
    this.downtimeMicroseconds = before.downtimeMicroseconds();
    this.touched = before.touched() == null ? assumed(before.phase()) : before.touched();
    this.switchoverStart = before.switchoverStart();
    this.transitions = new ArrayList<>(before.phaseTransitions());
    if (phase != null && transitions.stream().noneMatch(entry -> entry.phase() == phase)) {
      // It was lost, and with it what the phase's limit is counted from.
      told(phase);
    }
    for (ConditionType type : ConditionType.values()) {
      before.conditions().stream()
          .filter(condition -> condition.type().equals(type.text()))
          .findFirst()
          .ifPresent(condition -> conditions.put(type, condition));
    }
  }

  private static Touched assumed(Phase phase) {
    boolean underWay =
        phase != null && phase != Phase.PENDING && phase != Phase.VALIDATING && !phase.terminal();
    return underWay ? Touched.BOTH : Touched.NEITHER;
  }

  /** True when a command may have reached that side's device. */
  boolean touched(Role side) {
    return side == Role.SOURCE ? touched.source() : touched.destination();
  }

  /**
   * From now on a command may reach that side's device. To be recorded before the command is given.
   */
  StatusDraft touch(Role side) {
    touched =
        new Touched(
            touched.source() || side == Role.SOURCE,
            touched.destination() || side == Role.DESTINATION);
    return this;
  }

  /** That side's device is where it was before, or was never anywhere else. */
  StatusDraft settle(Role side) {
    touched =
        new Touched(
            touched.source() && side != Role.SOURCE,
            touched.destination() && side != Role.DESTINATION);
    return this;
  }

  /** What was known when the pause began; empty where it is not recorded yet. */
  Optional<SwitchoverStart> switchoverStart() {
    return Optional.ofNullable(switchoverStart);
  }

  /** Records what is known when the pause begins, once something is. The first record stays. */
  StatusDraft switchoverStart(Progress known) {
    long bytes = PendingTotal.of(known);
    if (switchoverStart == null && bytes > 0) {
      switchoverStart = new SwitchoverStart(bytes, Math.max(0, known.getTransferredBytes()));
    }
    return this;
  }

  Phase phase() {
    return phase;
  }

  /** Enters {@code next}; entering the phase that it is in already does nothing. */
  StatusDraft enter(Phase next) {
    if (phase != next) {
      phase = next;
      told(next);
    }
    return this;
  }

  private void told(Phase entered) {
    transitions.add(new PhaseTransition(entered, now.truncatedTo(ChronoUnit.MILLIS).toString()));
    if (transitions.size() > MOST_TRANSITIONS) {
      transitions.remove(0);
    }
  }

  /** Whether it is in {@code entered} or was before. */
  boolean wasIn(Phase entered) {
    return phase == entered
        || transitions.stream().anyMatch(transition -> transition.phase() == entered);
  }

  /**
   * How long {@code entered} has lasted since the last time it was entered, as far as this process
   * saw it.
   */
  Duration timeIn(Phase entered) {
    return transitions.stream()
        .filter(transition -> transition.phase() == entered)
        .reduce((first, last) -> last)
        .flatMap(sights::of)
        .map(since -> Duration.between(since, steady))
        .orElse(Duration.ZERO);
  }

  /** How long a condition has had its status, as far as this process saw it. */
  Optional<Duration> timeSinceChange(ConditionType type) {
    return condition(type).flatMap(sights::of).map(since -> Duration.between(since, steady));
  }

  StatusDraft condition(
      ConditionType type, Condition.Status status, ConditionReason reason, String message) {
    Condition old = conditions.get(type);
    String since =
        old != null && old.status() == status && old.lastTransitionTime() != null
            ? old.lastTransitionTime()
            : now.truncatedTo(ChronoUnit.SECONDS).toString();
    conditions.put(
        type, new Condition(type.text(), status, reason.text(), message, since, generation));
    return this;
  }

  /** The reason that a condition carries now; NOT_STARTED where there is none yet. */
  ConditionReason reasonOf(ConditionType type) {
    Condition condition = conditions.get(type);
    return condition == null
        ? ConditionReason.NOT_STARTED
        : ConditionReason.of(condition.reason()).orElse(ConditionReason.AGENT_FAILED);
  }

  /**
   * What of an agent's words neither the condition Succeeded nor the reason for the rollback tells
   * already; empty where they tell all of it.
   *
   * @param where what stands before the words of that agent where they are the cause
   */
  String notToldYet(String agentsWords, String where) {
    String words = ForeignText.message(agentsWords);
    String cause = rollback == null ? "" : rollback.message();
    String said = condition(ConditionType.SUCCEEDED).map(Condition::message).orElse("");
    if (said.contains(words) || cause.contains(words)) {
      return "";
    }
    if (cause.isEmpty()) {
      return words;
    }
    // An agent that was told to roll back repeats why; one that failed later goes on from there.
    String bare = cause.startsWith(where) ? cause.substring(where.length()) : cause;
    return words.replace(cause, "").replace(bare, "").strip().replaceFirst(REPEATS, "").strip();
  }

  /** Ends a sentence about a device that was not seen now. */
  String lastSeen(Role side) {
    String state = side == Role.SOURCE ? sourceState : destinationState;
    return state == null ? " It was never seen in any." : " It was last seen in " + state + ".";
  }

  Optional<Condition> condition(ConditionType type) {
    return Optional.ofNullable(conditions.get(type));
  }

  /** The handover decision: the destination owns the state. Only from Undecided. */
  StatusDraft commit() {
    requireUndecided();
    handover = Handover.COMMITTED;
    return enter(Phase.COMMITTED);
  }

  /** The handover decision: the source keeps the state. Only from Undecided. */
  StatusDraft rollBack(ConditionReason reason, String message, boolean cancelled) {
    requireUndecided();
    handover = Handover.ROLLED_BACK;
    rollback = new Rollback(reason.text(), message, cancelled);
    condition(
        ConditionType.HANDED_OVER,
        Condition.Status.FALSE,
        ConditionReason.ROLLED_BACK,
        "The source keeps the state. Succeeded says why.");
    copyGivenUp();
    return nothingToCopy().enter(Phase.ROLLING_BACK);
  }

  /** The same before anything was touched, so that nothing has to be rolled back. */
  StatusDraft refuse(ConditionReason reason, String message, boolean cancelled) {
    requireUndecided();
    handover = Handover.ROLLED_BACK;
    rollback = new Rollback(reason.text(), message, cancelled);
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
    notReady(ConditionType.SOURCE_READY, sourceState);
    notReady(ConditionType.DESTINATION_READY, destinationState);
    return enter(cancelled ? Phase.CANCELLED : Phase.FAILED);
  }

  /** It cannot be carried out, and nothing was touched: Validated says why, once. */
  StatusDraft refused(ConditionReason reason, String message) {
    return condition(ConditionType.VALIDATED, Condition.Status.FALSE, reason, message)
        .condition(
            ConditionType.SUCCEEDED,
            Condition.Status.FALSE,
            reason,
            "Refused before anything was touched. Validated says why.")
        .refuse(reason, message, false);
  }

  private void notReady(ConditionType type, String seenIn) {
    condition(
        type,
        Condition.Status.FALSE,
        ConditionReason.NOT_STARTED,
        "Its device was not touched."
            + (seenIn == null ? "" : " It was seen in " + seenIn + " before that was decided."));
  }

  /**
   * Why it did not converge stays told; that it still copies, or waits to switch over, does not.
   */
  private void copyGivenUp() {
    ConditionReason said = reasonOf(ConditionType.CONVERGED);
    if (said == ConditionReason.STALLED || said == ConditionReason.TOO_LONG) {
      return;
    }
    String figures =
        condition(ConditionType.CONVERGED)
            .filter(known -> said != ConditionReason.NOT_STARTED)
            .map(known -> " Last said: " + known.message())
            .orElse("");
    condition(
        ConditionType.CONVERGED,
        Condition.Status.FALSE,
        ConditionReason.ROLLED_BACK,
        "Rolled back: what was copied is given up." + figures);
  }

  private void requireUndecided() {
    if (handover != Handover.UNDECIDED) {
      throw new IllegalStateException(
          "the handover is decided already: " + handover.text() + "; it never changes again");
    }
  }

  /** Takes over what both agents report: device states, progress, downtime. */
  StatusDraft progress(Side source, Side destination) {
    source
        .session()
        .map(Session::getDeviceState)
        .flatMap(StatusDraft::stateName)
        .ifPresent(name -> sourceState = name);
    destination
        .session()
        .map(Session::getDeviceState)
        .flatMap(StatusDraft::stateName)
        .ifPresent(name -> destinationState = name);
    source.session().filter(Session::hasProgress).map(Session::getProgress).ifPresent(this::copied);
    return this;
  }

  /** Device states as the agents listed them before there are sessions. */
  StatusDraft deviceStates(DeviceState source, DeviceState destination) {
    stateName(source).ifPresent(name -> sourceState = name);
    stateName(destination).ifPresent(name -> destinationState = name);
    return this;
  }

  /** The interface that both devices speak, as the source's agent listed it. */
  StatusDraft migrationInterface(MigrationInterface spoken) {
    migrationInterface =
        switch (spoken) {
          case REGION_2018, REGION_V1, FEATURE_V2 -> spoken.name();
          case MIGRATION_INTERFACE_UNSPECIFIED, UNRECOGNIZED -> null;
        };
    return this;
  }

  private void copied(Progress progress) {
    var bytes = progress.getPending();
    long total = PendingTotal.of(progress);
    pending =
        new PendingBytes(
            bytes.getPrecopyOnly(),
            bytes.getCompatible(),
            bytes.getPostcopyOnly(),
            progress.getMemoryPending(),
            total,
            ByteSize.format(total));
    transferredBytes = progress.getTransferredBytes();
    bytesPerSecond = progress.getBytesPerSecond();
    dirtyPages = progress.getDirtyPages();
    iterations = Integer.toUnsignedLong(progress.getRounds());
    progressPercent = percent(transferredBytes, total);
  }

  /** At most 99: only success is 100. */
  private static int percent(long done, long left) {
    return done <= 0 ? 0 : (int) Math.min(99, Math.round(100.0 * done / ((double) done + left)));
  }

  StatusDraft estimatedDowntime(Optional<Duration> estimate) {
    estimatedDowntime = estimate.map(GoDuration::format).orElse(null);
    return this;
  }

  /** The measured pause. Zero is "not measured". */
  StatusDraft downtime(long nanos) {
    if (nanos > 0) {
      downtimeMicroseconds = Math.max(1, nanos / 1000);
    }
    return this;
  }

  /** What was copied is given up: nothing of the copy's progress is true any more. */
  StatusDraft nothingToCopy() {
    pending = null;
    bytesPerSecond = null;
    estimatedDowntime = null;
    progressPercent = null;
    return this;
  }

  /** Everything arrived: nothing is pending any more. */
  StatusDraft arrived() {
    pending = new PendingBytes(0, 0, 0, 0, 0, ByteSize.format(0));
    bytesPerSecond = null;
    estimatedDowntime = null;
    progressPercent = 100;
    return this;
  }

  DeviceMigrationStatus build(int attempt) {
    return new DeviceMigrationStatus(
        phase,
        generation,
        attempt,
        handover,
        rollback,
        sourceState,
        destinationState,
        migrationInterface,
        pending,
        progressPercent,
        transferredBytes,
        bytesPerSecond == null ? null : ByteSize.formatRate(bytesPerSecond),
        bytesPerSecond,
        dirtyPages,
        iterations,
        estimatedDowntime,
        downtimeMicroseconds == null
            ? null
            : GoDuration.format(Duration.of(downtimeMicroseconds, ChronoUnit.MICROS)),
        downtimeMicroseconds,
        touched,
        switchoverStart,
        transitions,
        List.copyOf(conditions.values()),
        null);
  }

  private static Optional<String> stateName(DeviceState state) {
    return state == DeviceState.DEVICE_STATE_UNSPECIFIED || state == DeviceState.UNRECOGNIZED
        ? Optional.empty()
        : Optional.of(state.name());
  }
}
