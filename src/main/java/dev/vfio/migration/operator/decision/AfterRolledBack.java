package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Rollback;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The source keeps the state. Both sides are told until both have confirmed; a side that cannot is
 * waited for and, after a while, a person is called. Nothing leads forward.
 */
final class AfterRolledBack {
  private final Observation seen;
  private final Side source;
  private final Side destination;
  private final StatusDraft draft;
  private final SideConditions sides;
  private final Rollback rollback;
  private final List<Command> commands = new ArrayList<>();

  /** How far one side is. */
  private sealed interface Progress {}

  private record Done() implements Progress {}

  private record Waiting(String message) implements Progress {}

  private record Stuck(ConditionReason reason, String message) implements Progress {}

  AfterRolledBack(Observation seen) {
    this.seen = seen;
    this.source = seen.source();
    this.destination = seen.destination();
    this.draft = new StatusDraft(seen);
    this.sides = new SideConditions(draft);
    this.rollback =
        Optional.ofNullable(seen.status().rollback())
            .orElseGet(
                () ->
                    new Rollback(
                        ConditionReason.AGENT_FAILED.text(), "No reason was recorded.", false));
  }

  Decision decide() {
    draft.progress(source, destination).nothingToCopy();
    Progress sourceProgress = progress(source);
    Progress destinationProgress = progress(destination);
    if (draft.phase().terminal()) {
      return finished();
    }
    for (Progress side : List.of(sourceProgress, destinationProgress)) {
      if (side instanceof Stuck stuck) {
        return actionRequired(stuck.reason(), stuck.message());
      }
    }
    for (Progress side : List.of(sourceProgress, destinationProgress)) {
      if (side instanceof Waiting waiting) {
        return await(waiting.message());
      }
    }
    return end();
  }

  private Decision end() {
    String outcome = rollback.message();
    ConditionReason reason =
        ConditionReason.of(rollback.reason()).orElse(ConditionReason.AGENT_FAILED);
    Optional<Causes.Cause> cause =
        rollback.cancelled() ? Optional.empty() : Causes.of(source, destination);
    // The side that failed first may have reported later than the echo that the decision was taken
    // on.
    if (AgentReasons.echo(reason)
        && cause.isPresent()
        && !AgentReasons.echo(cause.get().reason())) {
      reason = cause.get().reason();
      outcome = cause.get().message() + " (First seen as: " + rollback.message() + ")";
    }
    if (SideConditions.resetFailed(destination)) {
      outcome +=
          " To be done before "
              + destination.location()
              + " is used again: reset it."
              + unlessTold(outcome, destination, " DestinationReady says why and how.");
    }
    if (SideConditions.workloadGone(source)) {
      outcome +=
          " To be done: start the workload of "
              + source.location()
              + " anew."
              + unlessTold(outcome, source, " SourceReady says what became of the device.");
    }
    draft
        .downtime(
            source.session().map(session -> session.getProgress().getDowntimeNanos()).orElse(0L))
        .condition(ConditionType.SUCCEEDED, Status.FALSE, reason, outcome)
        .enter(rollback.cancelled() ? Phase.CANCELLED : Phase.FAILED);
    tellSides();
    return finished();
  }

  private static String unlessTold(String outcome, Side side, String where) {
    return outcome.contains(SideConditions.failureText(side)) ? "" : where;
  }

  /** Again, now that it is known what the condition Succeeded tells. */
  private void tellSides() {
    for (Side side : List.of(source, destination)) {
      if (!confirmedBefore(side)) {
        sides.render(side);
      }
    }
  }

  /** Also one that was never touched: it stays so when its agent forgets it or goes away. */
  private boolean confirmedBefore(Side side) {
    return !draft.touched(side.role()) && (side.session().isEmpty() || !side.reachable());
  }

  private Decision finished() {
    Optional<Duration> left =
        seen.settings()
            .timeToLive()
            .map(timeToLive -> timeToLive.minus(draft.timeIn(draft.phase())));
    if (left.isPresent()
        && (left.get().isNegative() || left.get().isZero())
        && !seen.deletionRequested()) {
      commands.add(new Command.Delete());
      left = Optional.of(Decisions.SOON);
    }
    return new Decision(
        draft.build(seen.attempt()), commands, left.filter(time -> !time.isNegative()), true);
  }

  private Decision await(String message) {
    if (draft.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.CONTRADICTION) {
      // A person was called for what an agent answered; being asked again does not take it back.
      return decision();
    }
    Duration limit = seen.settings().timeouts().rollingBack();
    if (draft.timeIn(Phase.ROLLING_BACK).compareTo(limit) >= 0) {
      return actionRequired(
          ConditionReason.ROLLING_BACK,
          "Not rolled back after "
              + GoDuration.format(limit)
              + ": "
              + message
              + " Rolling back goes on being tried.");
    }
    return decision();
  }

  private Decision actionRequired(ConditionReason reason, String message) {
    draft
        .enter(Phase.ACTION_REQUIRED)
        .condition(
            ConditionType.SUCCEEDED,
            Status.FALSE,
            reason,
            message + " Rolled back because: " + rollback.message());
    tellSides();
    return decision();
  }

  private Decision decision() {
    return new Decision(draft.build(seen.attempt()), commands, Optional.of(Decisions.SOON), false);
  }

  private Progress progress(Side side) {
    if (confirmedBefore(side)) {
      return new Done();
    }
    sides.render(side);
    return switch (side.state()) {
      case SOURCE_ROLLED_BACK, DESTINATION_DISCARDED -> settled(side);
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION,
          DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_LOADED ->
          tell(side);
      case SOURCE_ROLLING_BACK, DESTINATION_DISCARDING ->
          new Waiting(side.location() + " is being rolled back.");
      case SOURCE_STRANDED -> {
        tell(side);
        yield new Stuck(
            ConditionReason.STRANDED,
            side.location()
                + " could not be brought back to RUNNING: "
                + SideConditions.failureText(side)
                + " Rolling back goes on being tried."
                + whatTheSourceHolds());
      }
      case SOURCE_COMPLETING, SOURCE_COMPLETED, DESTINATION_ACTIVATING, DESTINATION_ACTIVE ->
          contradiction(side);
      case DESTINATION_STRANDED -> strandedDestination();
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> withoutSession(side);
    };
  }

  /** Only what its agent has seen: a device that does not answer may be gone with its state. */
  private String whatTheSourceHolds() {
    return source
        .session()
        .map(Session::getFailure)
        .filter(failure -> failure.getReason() == Reason.TRANSITION_FAILED)
        .map(failure -> " The device answers and was not reset.")
        .orElse("");
  }

  private Progress settled(Side side) {
    draft.settle(side.role());
    return new Done();
  }

  private static Stuck contradiction(Side side) {
    return new Stuck(
        ConditionReason.CONTRADICTION,
        "The handover is RolledBack but the agent on "
            + side.location().nodeName()
            + " reports "
            + side.location().device()
            + " as "
            + SessionWords.withName(side.state())
            + ". Make sure by hand that exactly one of the two devices runs.");
  }

  /**
   * A destination strands before the decision when it cannot verify what it holds; rolling back
   * leads out of that. Only an agent that says that it was activated contradicts the decision.
   */
  private Progress strandedDestination() {
    boolean activated =
        destination
            .refusal()
            .filter(refusal -> refusal.reason() == Reason.ALREADY_COMMITTED)
            .isPresent();
    return activated ? contradiction(destination) : tell(destination);
  }

  /**
   * Whether a source in that state tells that nobody committed: it is not yet where the decision is
   * waited for, or was told to go back.
   */
  static boolean provesNothingCommitted(SessionState source) {
    return switch (source) {
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_ROLLING_BACK,
          SOURCE_ROLLED_BACK ->
          true;
      case SOURCE_AWAITING_DECISION,
          SOURCE_COMPLETING,
          SOURCE_COMPLETED,
          SOURCE_STRANDED,
          DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_LOADED,
          DESTINATION_ACTIVATING,
          DESTINATION_ACTIVE,
          DESTINATION_STRANDED,
          DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          SESSION_STATE_UNSPECIFIED,
          UNRECOGNIZED ->
          false;
    };
  }

  /**
   * Where the status had lost what was decided the destination is told first: only once it has
   * discarded what it holds is it certain that nobody's command to activate it comes late.
   */
  private boolean mayStillBeActivated() {
    boolean disarmed =
        switch (destination.state()) {
          case DESTINATION_LISTENING,
              DESTINATION_RECEIVING,
              DESTINATION_DISCARDING,
              DESTINATION_DISCARDED ->
              true;
          default -> !draft.touched(Role.DESTINATION);
        };
    return rollback.reason().equals(ConditionReason.CONTRADICTION.text())
        && !provesNothingCommitted(source.state())
        && !disarmed;
  }

  private Progress tell(Side side) {
    if (!side.reachable()) {
      return new Waiting(side.unavailability() + ".");
    }
    if (side.role() == Role.SOURCE && mayStillBeActivated()) {
      return new Waiting(
          side.location()
              + " is told once "
              + destination.location()
              + " has discarded what it holds, because the status had lost what was decided.");
    }
    commands.add(
        rollback.cancelled()
            ? new Command.Cancel(side.role())
            : new Command.RollBack(side.role(), rollback.reason() + ": " + rollback.message()));
    return new Waiting(
        side.location()
            + " is being told"
            + side.refusal()
                .map(refusal -> ", and its agent answers: " + refusal.message())
                .orElse("."));
  }

  private Progress withoutSession(Side side) {
    if (!side.reachable()) {
      return new Waiting(side.unavailability() + ".");
    }
    if (side.inspection().isEmpty()) {
      commands.add(new Command.Inspect(side.role()));
      return new Waiting("The agent on " + side.location().nodeName() + " is being asked.");
    }
    if (!side.lost(seen.claim())) {
      return tell(side);
    }
    draft.deviceStates(source.listedState(), destination.listedState());
    return side.role() == Role.SOURCE ? forgottenSource() : forgottenDestination();
  }

  /**
   * The agent holds no session for it. That is fine where the device or its workload runs, and a
   * person's business where it may not.
   */
  private Progress forgottenSource() {
    Optional<Device> device = source.inspection().flatMap(Side.Inspection::device);
    DeviceState state = source.listedState();
    WorkloadState workload =
        device.map(Device::getWorkloadState).orElse(WorkloadState.WORKLOAD_STATE_UNSPECIFIED);
    boolean untold = state == DeviceState.DEVICE_STATE_UNSPECIFIED;
    boolean runs =
        state == DeviceState.RUNNING && workload != WorkloadState.WORKLOAD_PAUSED
            || untold && workload == WorkloadState.WORKLOAD_RUNNING;
    if (runs) {
      sides.say(
          source,
          Status.FALSE,
          ConditionReason.ROLLED_BACK,
          "The agent on "
              + source.location().nodeName()
              + " holds no session of this migration and lists "
              + source.location().device()
              + (untold ? " with a workload that is running." : " as RUNNING."));
      return settled(source);
    }
    sides.forgotten(source, state);
    return new Stuck(
        ConditionReason.SESSION_LOST,
        "The agent on "
            + source.location().nodeName()
            + " no longer knows this migration and "
            + (!untold
                ? "reports " + source.location().device() + " as " + state.name()
                : "cannot tell the state of " + source.location().device())
            + ". Make sure by hand that the device is RUNNING and its workload goes on. This clears"
            + " once the agent reports it RUNNING; where it cannot, delete the object and take"
            + " the finalizer "
            + DeviceMigration.FINALIZER
            + " off it.");
  }

  /** What is in the device now may be somebody else's: nothing is done to it. */
  private Progress forgottenDestination() {
    DeviceState state = destination.listedState();
    boolean left = DeviceStates.leftOver(state);
    boolean untold = state == DeviceState.DEVICE_STATE_UNSPECIFIED;
    sides.say(
        destination,
        untold ? Status.UNKNOWN : Status.FALSE,
        left || untold ? ConditionReason.SESSION_LOST : ConditionReason.DISCARDED,
        "The agent on "
            + destination.location().nodeName()
            + " holds no session of this migration"
            + (untold
                ? " and does not tell the state of "
                    + destination.location().device()
                    + "."
                    + draft.lastSeen(Role.DESTINATION)
                : " and lists " + destination.location().device() + " as " + state + ".")
            + (left || untold
                ? " Reset it before it is used again, once it is certain that nobody else has it."
                : ""));
    return settled(destination);
  }
}
