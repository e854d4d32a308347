package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The destination owns the state. It is activated, however often that must be tried; only then may
 * the source let go of what it still holds, which is the last copy should the destination never
 * run. Nothing leads back.
 */
final class AfterCommitted {
  /** Reasons of SourceReady with which a migration that succeeded may end. */
  private static final Set<ConditionReason> SAID_AT_THE_END =
      EnumSet.of(
          ConditionReason.RELEASED, ConditionReason.RESET_FAILED, ConditionReason.SESSION_LOST);

  private final Observation seen;
  private final Side source;
  private final Side destination;
  private final StatusDraft draft;
  private final SideConditions sides;
  private final List<Command> commands = new ArrayList<>();

  AfterCommitted(Observation seen) {
    this.seen = seen;
    this.source = seen.source();
    this.destination = seen.destination();
    this.draft = new StatusDraft(seen);
    this.sides = new SideConditions(draft);
  }

  Decision decide() {
    draft.progress(source, destination).arrived();
    if (contradictsCommitted(source)) {
      return contradiction();
    }
    if (draft.wasIn(Phase.SUCCEEDED)) {
      // Also behind a contradiction that was taken back: its agent may have forgotten it by then.
      draft.enter(Phase.SUCCEEDED);
      return cleanUp();
    }
    sides.render(source);
    sides.render(destination);
    return switch (destination.state()) {
      case DESTINATION_ACTIVE -> succeed();
      case DESTINATION_LOADED -> activate();
      case DESTINATION_ACTIVATING -> awaitActivation("it is being brought to RUNNING");
      case DESTINATION_STRANDED -> stranded();
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> withoutSession();
      case DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION,
          SOURCE_COMPLETING,
          SOURCE_COMPLETED,
          SOURCE_ROLLING_BACK,
          SOURCE_ROLLED_BACK,
          SOURCE_STRANDED ->
          actionRequired(
              ConditionReason.CONTRADICTION,
              "The handover is Committed but the agent on "
                  + destination.location().nodeName()
                  + " reports "
                  + destination.location().device()
                  + " as "
                  + SessionWords.withName(destination.state())
                  + ". The source was not told to let go of its copy of the state."
                  + " Do not resume it by hand before it is certain that the destination does not"
                  + " run.");
    };
  }

  /**
   * Whether the source reports what it cannot after Committed: that it runs, or is on its way to.
   * One that is stranded because its journal cannot be read did nothing to its device.
   */
  private static boolean contradictsCommitted(Side source) {
    boolean strandedForAnotherReason =
        source.state() == SessionState.SOURCE_STRANDED
            && source.session().map(Session::getFailure).map(Failure::getReason).orElse(null)
                != Reason.JOURNAL_FAILED;
    return AfterRolledBack.provesNothingCommitted(source.state()) || strandedForAnotherReason;
  }

  /** The destination is not activated, not even once more: the source may run. */
  private Decision contradiction() {
    sides.render(source);
    sides.render(destination);
    return actionRequired(
        ConditionReason.CONTRADICTION,
        "The handover is Committed but the agent on "
            + source.location().nodeName()
            + " reports the source "
            + source.location()
            + ", which must not run any more, as "
            + SessionWords.withName(source.state())
            + ", while the destination "
            + destination.location()
            + " is reported as "
            + SessionWords.withName(destination.state())
            + ". Nothing is activated or released as long as this is so. Make sure by hand that"
            + " exactly one of the two devices runs, keep the journals and logs of both agents, and"
            + " report it.");
  }

  private Decision succeed() {
    draft
        .downtime(
            destination
                .session()
                .map(session -> session.getProgress().getDowntimeNanos())
                .orElse(0L))
        .enter(Phase.SUCCEEDED);
    return cleanUp();
  }

  /**
   * The destination runs. What is left is the source's clean-up, which may lag as long as it likes.
   */
  private Decision cleanUp() {
    String where = destination.location().toString();
    if (source.state() == SessionState.SOURCE_COMPLETED) {
      sides.released(source);
      return completed(where);
    }
    if (releasedBefore()) {
      // What was said then holds, whatever its agent still remembers of it.
      if (!SAID_AT_THE_END.contains(draft.reasonOf(ConditionType.SOURCE_READY))) {
        sides.say(
            source, Status.FALSE, ConditionReason.RELEASED, source.location() + " is released.");
      }
      if (source.reachable() && source.session().isPresent()) {
        // Its journal forgot the decision since: it waits for it once more.
        commands.add(new Command.Commit());
      }
      return finished();
    }
    if (source.lost(seen.claim())) {
      lostSource();
      return completed(where);
    }
    String lag =
        source.reachable()
            ? source
                .refusal()
                .map(refusal -> " The source was asked to: " + refusal.message())
                .orElse("")
            : " Its agent is waited for: " + source.unavailability() + ".";
    sides.say(
        source,
        source.reachable() ? Status.FALSE : Status.UNKNOWN,
        ConditionReason.CLEANING_UP,
        source.location() + " stopped before the handover and is still to be released." + lag);
    draft.condition(
        ConditionType.SUCCEEDED,
        Status.TRUE,
        ConditionReason.CLEANING_UP,
        "The workload runs with " + where + "; the source is still to be released.");
    if (source.reachable()) {
      boolean unknown = source.session().isEmpty() && source.inspection().isEmpty();
      commands.add(unknown ? new Command.Inspect(source.role()) : new Command.Commit());
    }
    return decision(Decisions.SOON, false);
  }

  private Decision completed(String where) {
    draft.condition(
        ConditionType.SUCCEEDED,
        Status.TRUE,
        ConditionReason.COMPLETED,
        "The workload runs with "
            + where
            + "."
            + (SideConditions.resetFailed(source)
                ? " To be done: reset "
                    + source.location()
                    + " before it is used again. SourceReady says why and how."
                : ""));
    return finished();
  }

  /** What its agent lists now is all that is known of its device. */
  private void lostSource() {
    Optional<Device> listed = source.inspection().flatMap(Side.Inspection::device);
    DeviceState state = source.listedState();
    boolean free =
        listed.filter(device -> !device.getBusy()).isPresent()
            && (state == DeviceState.NONE || state == DeviceState.RUNNING);
    draft.deviceStates(state, DeviceState.DEVICE_STATE_UNSPECIFIED);
    if (free) {
      sides.say(
          source,
          Status.FALSE,
          ConditionReason.RELEASED,
          "The agent on "
              + source.location().nodeName()
              + " holds no session of this migration and lists "
              + source.location().device()
              + " as free, in "
              + state
              + ".");
    } else {
      sides.forgotten(source, state);
      sides.say(
          source,
          Status.UNKNOWN,
          ConditionReason.SESSION_LOST,
          sides.message(source)
              + " Check that it is free there, and reset it before it is used again: whether that"
              + " was done is not known.");
    }
  }

  private boolean releasedBefore() {
    return draft.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.COMPLETED;
  }

  private Decision finished() {
    Optional<Duration> left =
        seen.settings()
            .timeToLive()
            .map(timeToLive -> timeToLive.minus(draft.timeIn(Phase.SUCCEEDED)));
    if (left.isPresent()
        && (left.get().isNegative() || left.get().isZero())
        && !seen.deletionRequested()) {
      commands.add(new Command.Delete());
      return decision(Decisions.SOON, true);
    }
    return new Decision(
        draft.build(seen.attempt()), commands, left.filter(time -> !time.isNegative()), true);
  }

  private Decision activate() {
    if (!destination.reachable()) {
      return awaitActivation(destination.unavailability());
    }
    commands.add(new Command.Activate());
    return awaitActivation(
        destination
            .refusal()
            .map(Side.Refusal::message)
            .orElse("it was told to and has not answered yet"));
  }

  /**
   * Waits for the destination as long as it takes, and calls for a person once it takes too long.
   */
  private Decision awaitActivation(String state) {
    Duration limit = seen.settings().timeouts().activating();
    if (draft.timeIn(Phase.COMMITTED).compareTo(limit) >= 0) {
      return actionRequired(
          ConditionReason.ACTIVATING,
          "The handover is Committed and "
              + destination.location()
              + " does not run after "
              + GoDuration.format(limit)
              + ": "
              + state
              + ". Activation goes on being tried. The source stays paused and must not be resumed;"
              + " see to the agent on "
              + destination.location().nodeName()
              + ".");
    }
    boolean calledBefore =
        draft.phase() == Phase.ACTION_REQUIRED
            && draft.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.ACTIVATING;
    if (!calledBefore) {
      draft.condition(
          ConditionType.SUCCEEDED,
          Status.UNKNOWN,
          ConditionReason.ACTIVATING,
          destination.location() + ": " + state + ".");
    }
    return decision(Decisions.SOON, false);
  }

  private Decision stranded() {
    if (destination.reachable()) {
      commands.add(new Command.Activate());
    }
    return actionRequired(
        ConditionReason.STRANDED,
        "The handover is Committed but "
            + destination.location()
            + " would not run: "
            + SideConditions.failureText(destination)
            + (lostItsState() ? "" : " Activation goes on being tried.")
            + " The source stays paused with its copy and must not be resumed unless the"
            + " destination is certain not to run.");
  }

  /** Its device was reset after it was loaded: trying again brings nothing back. */
  private boolean lostItsState() {
    return destination
        .session()
        .filter(session -> session.getFailure().getReason() == Reason.NOT_LOADED)
        .isPresent();
  }

  private Decision withoutSession() {
    if (!destination.reachable()) {
      return awaitActivation(destination.unavailability());
    }
    if (destination.session().isPresent()) {
      return awaitActivation(
          "its agent is newer than the operator and reports a state that is not known here");
    }
    if (destination.inspection().isEmpty()) {
      commands.add(new Command.Inspect(destination.role()));
      return awaitActivation("its agent is being asked");
    }
    if (!destination.lost(seen.claim())) {
      return activate();
    }
    DeviceState state = destination.listedState();
    sides.forgotten(destination, state);
    return actionRequired(
        ConditionReason.SESSION_LOST,
        "The handover is Committed but the agent on "
            + destination.location().nodeName()
            + " no longer knows this migration and "
            + (state == DeviceState.DEVICE_STATE_UNSPECIFIED
                ? "does not tell the state of " + destination.location().device()
                : "reports " + destination.location().device() + " as " + state)
            + ". The source was not told to let go of its copy of the state. Restore the agent's"
            + " journal, or find out by hand whether the workload runs there; do not resume the"
            + " source before it is certain that it does not.");
  }

  private Decision actionRequired(ConditionReason reason, String message) {
    draft
        .enter(Phase.ACTION_REQUIRED)
        .condition(ConditionType.SUCCEEDED, Status.UNKNOWN, reason, message);
    // Again, now that it is known what the condition Succeeded tells.
    sides.render(source);
    sides.render(destination);
    return decision(Decisions.SOON.multipliedBy(2), false);
  }

  private Decision decision(Duration checkAgain, boolean finished) {
    return new Decision(draft.build(seen.attempt()), commands, Optional.of(checkAgain), finished);
  }
}
