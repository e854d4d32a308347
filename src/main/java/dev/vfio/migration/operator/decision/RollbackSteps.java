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
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.StatusDraft;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** What rolling back still has to do for each side, and how far that side is. */
final class RollbackSteps {
  /** A destination in such a state was not activated, and cannot be. */
  private static final Set<SessionState> NEVER_ACTIVATED =
      EnumSet.of(
          SessionState.DESTINATION_LISTENING,
          SessionState.DESTINATION_RECEIVING,
          SessionState.DESTINATION_DISCARDING,
          SessionState.DESTINATION_DISCARDED);

  private final DecisionDraft draft;
  private final StatusDraft status;
  private final ReadyConditions ready;
  private final Side source;
  private final Side destination;
  private final Rollback rollback;

  /** How far one side is. */
  sealed interface Progress {}

  record Done() implements Progress {}

  record Waiting(String message) implements Progress {}

  record Stuck(ConditionReason reason, String message) implements Progress {}

  RollbackSteps(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.ready = draft.ready();
    this.source = draft.source();
    this.destination = draft.destination();
    this.rollback =
        status
            .rollback()
            .orElseGet(
                () ->
                    new Rollback(
                        ConditionReason.AGENT_FAILED.text(), "No reason was recorded.", false));
  }

  /** Why it is rolled back. */
  Rollback rollback() {
    return rollback;
  }

  /**
   * A side that no command reached, or that was rolled back: it stays settled when its agent
   * forgets the session or goes out of reach.
   */
  boolean isSettled(Side side) {
    return !status.touched(side.role()) && (side.session().isEmpty() || !side.reachable());
  }

  /** Does the next step for {@code side}, and says how far it is. */
  Progress next(Side side) {
    if (isSettled(side)) {
      return new Done();
    }
    ready.describe(side);
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
          rollBack(side);
      case SOURCE_ROLLING_BACK, DESTINATION_DISCARDING ->
          new Waiting(side.location() + " is being rolled back.");
      case SOURCE_STRANDED -> {
        rollBack(side);
        yield new Stuck(
            ConditionReason.STRANDED,
            side.location()
                + " could not be brought back to RUNNING: "
                + ReadyConditions.failureText(side)
                + " The operator keeps trying to roll it back."
                + whatTheSourceHolds());
      }
      case SOURCE_COMPLETING, SOURCE_COMPLETED, DESTINATION_ACTIVATING, DESTINATION_ACTIVE ->
          contradiction(side);
      case DESTINATION_STRANDED -> strandedDestination();
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> withoutSession(side);
    };
  }

  /** Only what its agent has seen: a device that does not answer may have lost its state. */
  private String whatTheSourceHolds() {
    return source
        .session()
        .map(Session::getFailure)
        .filter(failure -> failure.getReason() == Reason.TRANSITION_FAILED)
        .map(failure -> " The device answers and was not reset.")
        .orElse("");
  }

  private Progress settled(Side side) {
    status.settle(side.role());
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
            + SessionDescriptions.withName(side.state())
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
    return activated ? contradiction(destination) : rollBack(destination);
  }

  /**
   * Whether a source in that state proves that nobody committed: it does not wait for the decision
   * yet, or got RollBack or Cancel.
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
   * Where the status had lost the decision, the destination is rolled back first. Before it has
   * discarded what it holds, a late command could still activate it.
   */
  private boolean mayStillBeActivated() {
    boolean disarmed =
        NEVER_ACTIVATED.contains(destination.state()) || !status.touched(Role.DESTINATION);
    return rollback.reason().equals(ConditionReason.CONTRADICTION.text())
        && !provesNothingCommitted(source.state())
        && !disarmed;
  }

  private Progress rollBack(Side side) {
    if (!side.reachable()) {
      return new Waiting(side.unavailability() + ".");
    }
    if (side.role() == Role.SOURCE && mayStillBeActivated()) {
      return new Waiting(
          side.location()
              + " is told to roll back once "
              + destination.location()
              + " has discarded what it holds, because the status had lost what was decided.");
    }
    draft.command(
        rollback.cancelled()
            ? new Command.Cancel(side.role())
            : new Command.RollBack(side.role(), rollback.reason() + ": " + rollback.message()));
    return new Waiting(
        side.location()
            + " was told to roll back"
            + side.refusal()
                .map(refusal -> ", and its agent answers: " + refusal.message())
                .orElse("."));
  }

  private Progress withoutSession(Side side) {
    if (!side.reachable()) {
      return new Waiting(side.unavailability() + ".");
    }
    if (side.inspection().isEmpty()) {
      draft.command(new Command.Inspect(side.role()));
      return new Waiting("The agent on " + side.location().nodeName() + " is being asked.");
    }
    if (!side.lost(draft.seen().claim())) {
      return rollBack(side);
    }
    status.deviceStates(source.listedState(), destination.listedState());
    return side.role() == Role.SOURCE ? forgottenSource() : forgottenDestination();
  }

  /**
   * The agent holds no session for it. Nothing is left to be done where the device or its workload
   * runs; otherwise a person must look after it.
   */
  private Progress forgottenSource() {
    Optional<Device> device = source.inspection().flatMap(Side.Inspection::device);
    DeviceState state = source.listedState();
    WorkloadState workload =
        device.map(Device::getWorkloadState).orElse(WorkloadState.WORKLOAD_STATE_UNSPECIFIED);
    boolean unreported = state == DeviceState.DEVICE_STATE_UNSPECIFIED;
    boolean runs =
        state == DeviceState.RUNNING && workload != WorkloadState.WORKLOAD_PAUSED
            || unreported && workload == WorkloadState.WORKLOAD_RUNNING;
    if (runs) {
      ready.say(
          source,
          Status.FALSE,
          ConditionReason.ROLLED_BACK,
          "The agent on "
              + source.location().nodeName()
              + " holds no session of this migration and lists "
              + source.location().device()
              + (unreported ? " with a workload that is running." : " as RUNNING."));
      return settled(source);
    }
    ready.forgotten(source, state);
    return new Stuck(
        ConditionReason.SESSION_LOST,
        "The agent on "
            + source.location().nodeName()
            + " no longer knows this migration and "
            + (!unreported
                ? "reports " + source.location().device() + " as " + state.name()
                : "cannot report the state of " + source.location().device())
            + ". Make sure by hand that the device is RUNNING and its workload goes on. This clears"
            + " once the agent reports it RUNNING; where it cannot, delete the object and take"
            + " the finalizer "
            + DeviceMigration.FINALIZER
            + " off it.");
  }

  /** Another user may have put what is in the device now: nothing is done to it. */
  private Progress forgottenDestination() {
    DeviceState state = destination.listedState();
    boolean left = DeviceStates.leftOver(state);
    boolean unreported = state == DeviceState.DEVICE_STATE_UNSPECIFIED;
    ready.say(
        destination,
        unreported ? Status.UNKNOWN : Status.FALSE,
        left || unreported ? ConditionReason.SESSION_LOST : ConditionReason.DISCARDED,
        "The agent on "
            + destination.location().nodeName()
            + " holds no session of this migration"
            + (unreported
                ? " and does not report the state of %s.%s"
                    .formatted(destination.location().device(), status.lastSeen(Role.DESTINATION))
                : " and lists " + destination.location().device() + " as " + state + ".")
            + (left || unreported
                ? " Reset it before it is used again, once it is certain that nobody else has"
                    + " it."
                : ""));
    return settled(destination);
  }
}
