package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.Optional;

/**
 * Committed, and ActionRequired after it: the destination owns the state and is activated, however
 * often that must be tried. Gives Activate. The source does not get Commit: what it holds is the
 * last copy should the destination never run.
 *
 * <pre>
 * the destination runs                                  Succeeded
 * it cannot run, reports what cannot be after Committed,
 * or does not run within timeouts.activating            ActionRequired, which leads to Succeeded
 *                                                       as soon as the destination runs
 * it lost the state, and spec.takeBack is set           RollingBack ({@link TakeBack})
 * </pre>
 */
final class CommittedPhase implements PhaseDecision {
  private final DecisionDraft draft;
  private final StatusDraft status;
  private final ReadyConditions ready;
  private final Side source;
  private final Side destination;
  private final TakeBack takeBack;

  CommittedPhase(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.ready = draft.ready();
    this.source = draft.source();
    this.destination = draft.destination();
    this.takeBack = new TakeBack(draft);
  }

  @Override
  public Decision decide() {
    ready.describe(source);
    ready.describe(destination);
    return switch (destination.state()) {
      case DESTINATION_ACTIVE -> succeed();
      case DESTINATION_LOADED -> activate();
      case DESTINATION_ACTIVATING -> awaitActivation("it is being brought to RUNNING");
      case DESTINATION_STRANDED -> stranded();
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> withoutSession();
      case DESTINATION_DISCARDING, DESTINATION_DISCARDED ->
          takeBack.decide().orElseGet(this::contradiction);
      case DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
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
          contradiction();
    };
  }

  private Decision contradiction() {
    return actionRequired(
        draft,
        ConditionReason.CONTRADICTION,
        """
        The handover is Committed but the agent on %s reports %s as %s. The source was not told \
        to release its copy of the state. Do not resume it by hand before it is certain that the \
        destination does not run.\
        """
            .formatted(
                destination.location().nodeName(),
                destination.location().device(),
                SessionDescriptions.withName(destination.state())));
  }

  private Decision succeed() {
    status.downtime(destination.progress().getDowntimeNanos()).enter(Phase.SUCCEEDED);
    return new SucceededPhase(draft).decide();
  }

  private Decision activate() {
    if (!destination.reachable()) {
      return awaitActivation(destination.unavailability());
    }
    draft.command(new Command.Activate());
    return awaitActivation(
        destination
            .refusal()
            .map(Side.Refusal::message)
            .orElse("its agent was told to activate it and has not answered yet"));
  }

  /**
   * Waits for the destination as long as it takes, and calls for a person once it takes too long.
   */
  private Decision awaitActivation(String state) {
    Duration limit = draft.settings().timeouts().activating();
    if (status.timeIn(Phase.COMMITTED).compareTo(limit) >= 0) {
      return actionRequired(
          draft,
          ConditionReason.ACTIVATING,
          """
          The handover is Committed and %s does not run after %s: %s. The operator keeps trying \
          to activate it. The source stays paused and must not be resumed; see to the agent on %s.\
          """
              .formatted(
                  destination.location(),
                  GoDuration.format(limit),
                  state,
                  destination.location().nodeName()));
    }
    boolean calledBefore =
        status.phase() == Phase.ACTION_REQUIRED
            && status.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.ACTIVATING;
    if (!calledBefore) {
      status.condition(
          ConditionType.SUCCEEDED,
          Status.UNKNOWN,
          ConditionReason.ACTIVATING,
          destination.location() + ": " + state + ".");
    }
    return draft.again(DecisionDraft.SOON);
  }

  private Decision stranded() {
    Optional<Decision> takenBack = takeBack.decide();
    if (takenBack.isPresent()) {
      return takenBack.get();
    }
    if (destination.reachable() && !takeBack.isUnderWay()) {
      draft.command(new Command.Activate());
    }
    return actionRequired(
        draft,
        ConditionReason.STRANDED,
        "The handover is Committed but "
            + destination.location()
            + " would not run: "
            + ReadyConditions.failureText(destination)
            + (ReadyConditions.lostItsState(destination)
                ? ""
                : " The operator keeps trying to activate it.")
            + " The source stays paused with its copy and must not be resumed unless the"
            + " destination is certain not to run."
            + takeBack.answer());
  }

  private Decision withoutSession() {
    if (!destination.reachable()) {
      return awaitActivation(destination.unavailability());
    }
    if (destination.session().isPresent()) {
      return awaitActivation(
          "its agent is newer than the operator and reports a state that this operator does not"
              + " know");
    }
    if (destination.inspection().isEmpty()) {
      draft.command(new Command.Inspect(destination.role()));
      return awaitActivation("its agent is being asked");
    }
    if (!destination.lost(draft.seen().claim())) {
      return activate();
    }
    DeviceState state = destination.listedState();
    ready.forgotten(destination, state);
    return actionRequired(
        draft,
        ConditionReason.SESSION_LOST,
        "The handover is Committed but the agent on "
            + destination.location().nodeName()
            + " no longer knows this migration and "
            + (state == DeviceState.DEVICE_STATE_UNSPECIFIED
                ? "does not report the state of " + destination.location().device()
                : "reports " + destination.location().device() + " as " + state)
            + ". The source was not told to release its copy of the state. Restore the agent's"
            + " journal, or find out by hand whether the workload runs there; do not resume the"
            + " source before it is certain that it does not."
            + takeBack.answer());
  }

  static Decision actionRequired(DecisionDraft draft, ConditionReason reason, String message) {
    draft
        .status()
        .enter(Phase.ACTION_REQUIRED)
        .condition(ConditionType.SUCCEEDED, Status.UNKNOWN, reason, message);
    // After Succeeded was written: the conditions of the sides do not repeat what that one says.
    draft.ready().describe(draft.source());
    draft.ready().describe(draft.destination());
    return draft.again(DecisionDraft.SOON.multipliedBy(2));
  }
}
