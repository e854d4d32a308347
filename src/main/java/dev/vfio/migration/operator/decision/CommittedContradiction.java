package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.status.ConditionReason;

/**
 * After Committed, while the source's agent reports that the source runs, or is on its way to:
 * leads to ActionRequired, and back once the agent reports otherwise. Gives no command, so that the
 * destination is not activated, not even once more.
 */
record CommittedContradiction(DecisionDraft draft) implements PhaseDecision {

  /** A source that is stranded because its journal cannot be read did nothing to its device. */
  static boolean isReportedBy(Side source) {
    boolean strandedForAnotherReason =
        source.state() == SessionState.SOURCE_STRANDED
            && source.session().map(Session::getFailure).map(Failure::getReason).orElse(null)
                != Reason.JOURNAL_FAILED;
    return RollbackSteps.provesNothingCommitted(source.state()) || strandedForAnotherReason;
  }

  @Override
  public Decision decide() {
    Side source = draft.source();
    Side destination = draft.destination();
    return CommittedPhase.actionRequired(
        draft,
        ConditionReason.CONTRADICTION,
        """
        The handover is Committed but the agent on %s reports the source %s, which must not run \
        any more, as %s, while the destination %s is reported as %s. Nothing is activated or \
        released as long as this is so. Make sure by hand that exactly one of the two devices \
        runs, keep the journals and logs of both agents, and report it.\
        """
            .formatted(
                source.location().nodeName(),
                source.location(),
                SessionDescriptions.withName(source.state()),
                destination.location(),
                SessionDescriptions.withName(destination.state())));
  }
}
