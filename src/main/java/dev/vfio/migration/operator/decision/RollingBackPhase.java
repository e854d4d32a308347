package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * RollingBack, and ActionRequired after it: the source keeps the state. Gives RollBack or Cancel to
 * each side until it confirms ({@link RollbackSteps}). Nothing leads forward.
 *
 * <pre>
 * both sides confirmed                              Failed, or Cancelled
 * a side cannot, or does not within
 * timeouts.rollingBack                              ActionRequired, which leads to Failed or
 *                                                   Cancelled as soon as both sides confirm
 * </pre>
 */
final class RollingBackPhase implements PhaseDecision {
  private final DecisionDraft draft;
  private final StatusDraft status;
  private final Side source;
  private final Side destination;
  private final RollbackSteps steps;
  private final Rollback rollback;

  RollingBackPhase(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.source = draft.source();
    this.destination = draft.destination();
    this.steps = new RollbackSteps(draft);
    this.rollback = steps.rollback();
  }

  @Override
  public Decision decide() {
    List<RollbackSteps.Progress> both = List.of(steps.next(source), steps.next(destination));
    for (RollbackSteps.Progress side : both) {
      if (side instanceof RollbackSteps.Stuck stuck) {
        return actionRequired(stuck.reason(), stuck.message());
      }
    }
    for (RollbackSteps.Progress side : both) {
      if (side instanceof RollbackSteps.Waiting waiting) {
        return await(waiting.message());
      }
    }
    return end();
  }

  private Decision end() {
    String outcome = rollback.message();
    ConditionReason reason =
        ConditionReason.of(rollback.reason()).orElse(ConditionReason.AGENT_FAILED);
    Optional<FailureCauses.Cause> cause =
        rollback.cancelled() ? Optional.empty() : FailureCauses.of(source, destination);
    // The side that failed first may have reported later than the echo that the decision was taken
    // on.
    if (AgentReasons.echo(reason)
        && cause.isPresent()
        && !AgentReasons.echo(cause.get().reason())) {
      reason = cause.get().reason();
      outcome = cause.get().message() + " (First seen as: " + rollback.message() + ")";
    }
    if (ReadyConditions.resetFailed(destination)) {
      outcome +=
          " To be done before "
              + destination.location()
              + " is used again: reset it."
              + unlessContained(outcome, destination, " DestinationReady says why and how.");
    }
    if (ReadyConditions.workloadEnded(source)) {
      outcome +=
          " To be done: start the workload of "
              + source.location()
              + " anew."
              + unlessContained(outcome, source, " SourceReady says what became of the device.");
    }
    status
        .downtime(
            source.session().map(session -> session.getProgress().getDowntimeNanos()).orElse(0L))
        .condition(ConditionType.SUCCEEDED, Status.FALSE, reason, outcome)
        .enter(rollback.cancelled() ? Phase.CANCELLED : Phase.FAILED);
    describeSides();
    return draft.finished();
  }

  private static String unlessContained(String outcome, Side side, String where) {
    return outcome.contains(ReadyConditions.failureText(side)) ? "" : where;
  }

  /** After Succeeded was written: the conditions of the sides do not repeat what that one says. */
  private void describeSides() {
    for (Side side : draft.sides()) {
      if (!steps.isSettled(side)) {
        draft.ready().describe(side);
      }
    }
  }

  private Decision await(String message) {
    if (status.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.CONTRADICTION) {
      // A person was called for what an agent answered; being asked again does not take it back.
      return draft.again(DecisionDraft.SOON);
    }
    Duration limit = draft.settings().timeouts().rollingBack();
    if (status.timeIn(Phase.ROLLING_BACK).compareTo(limit) >= 0) {
      return actionRequired(
          ConditionReason.ROLLING_BACK,
          "Not rolled back after %s: %s The operator keeps trying to roll it back."
              .formatted(GoDuration.format(limit), message));
    }
    return draft.again(DecisionDraft.SOON);
  }

  private Decision actionRequired(ConditionReason reason, String message) {
    status
        .enter(Phase.ACTION_REQUIRED)
        .condition(
            ConditionType.SUCCEEDED,
            Status.FALSE,
            reason,
            message + " Rolled back because: " + rollback.message());
    describeSides();
    return draft.again(DecisionDraft.SOON);
  }
}
