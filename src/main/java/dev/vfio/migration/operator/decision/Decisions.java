package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Chooses the class that decides: by the handover, then by the phase. The classes say when they
 * lead where.
 *
 * <pre>
 * Undecided   Pending ---------> {@link PendingPhase}
 *             Validating ------> {@link ValidatingPhase}     nothing was touched
 *             Preparing -------> {@link PreparingPhase}
 *             PreCopy ---------> {@link PreCopyPhase}
 *             SwitchingOver ---> {@link SwitchingOverPhase}  everything can go back
 *                  |
 *                  +-- Committed:  only forward
 *                  |   Committed, ActionRequired -----> {@link CommittedPhase}
 *                  |   Succeeded ---------------------> {@link SucceededPhase}
 *                  |   spec.takeBack, and it is safe -> {@link TakeBack}, then as RolledBack
 *                  |   a source that reports it runs -> {@link CommittedContradiction}
 *                  |
 *                  +-- RolledBack: only back
 *                      RollingBack, ActionRequired ---> {@link RollingBackPhase}
 *                      Failed, Cancelled -------------> {@link RolledBackEnd}
 *
 * Pending -> Validating -> Preparing -> PreCopy -> SwitchingOver -> Committed -> Succeeded
 *    |           |             |           |            |               |            ^
 *    |           |             +-----------+------------+               v            |
 *    |           |                         v                      ActionRequired ----+
 *    v           v                    RollingBack -> ActionRequired
 * Cancelled    Failed                      v               v
 *                                  Failed, Cancelled  Failed, Cancelled
 * </pre>
 *
 * A status from which something was removed is brought in order first ({@link LostRecord}). A
 * replica that does not lead does a part of what is decided ({@link StandbyDecision}).
 */
public final class Decisions {
  private Decisions() {}

  /** What follows from {@code seen}, as far as this replica may see to it. */
  public static Decision decide(Observation seen) {
    DecisionDraft draft = new DecisionDraft(seen);
    return asFarAsAllowed(
        seen, new LostRecord(draft).decide().orElseGet(() -> phaseOf(draft).decide()));
  }

  private static Decision asFarAsAllowed(Observation seen, Decision whole) {
    return seen.leads() ? whole : StandbyDecision.of(seen, whole);
  }

  private static PhaseDecision phaseOf(DecisionDraft draft) {
    return switch (draft.seen().status().handoverOrUndecided()) {
      case UNDECIDED -> undecided(draft);
      case COMMITTED -> committed(draft);
      case ROLLED_BACK -> rolledBack(draft);
    };
  }

  private static PhaseDecision undecided(DecisionDraft draft) {
    Phase phase = draft.seen().status().phaseOrPending();
    return switch (phase) {
      case PENDING -> new PendingPhase(draft);
      case VALIDATING -> new ValidatingPhase(draft);
      case PREPARING -> new PreparingPhase(draft);
      case PRE_COPY -> new PreCopyPhase(draft);
      case SWITCHING_OVER -> new SwitchingOverPhase(draft);
      case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED ->
          throw new IllegalStateException("phase " + phase.text() + " without a decision");
    };
  }

  private static PhaseDecision committed(DecisionDraft draft) {
    if (draft.seen().status().takenBack()) {
      return rolledBack(draft);
    }
    draft.recordReports();
    draft.status().arrived();
    if (CommittedContradiction.isReportedBy(draft.source())) {
      return new CommittedContradiction(draft);
    }
    // Also after a contradiction that was taken back: its agent may have forgotten it by then.
    return draft.status().wasIn(Phase.SUCCEEDED)
        ? new SucceededPhase(draft)
        : new CommittedPhase(draft);
  }

  private static PhaseDecision rolledBack(DecisionDraft draft) {
    draft.recordReports();
    draft.status().dropProgress();
    return draft.status().phase().terminal()
        ? new RolledBackEnd(draft)
        : new RollingBackPhase(draft);
  }

  /**
   * For a spec that cannot be carried out any more although the migration is under way, because it
   * was stored under another schema: what is undecided goes back, what is decided is ended.
   *
   * @param seen with what is left of the spec
   */
  public static Decision underWay(Observation seen, InvalidSpecException problem) {
    if (seen.status().handoverOrUndecided() != Handover.UNDECIDED) {
      return decide(seen);
    }
    String message =
        "This version of the operator cannot carry the spec out: " + problem.getMessage();
    DecisionDraft draft = new DecisionDraft(seen);
    return asFarAsAllowed(
        seen,
        new LostRecord(draft)
            .decide()
            .orElseGet(() -> draft.rollBack(problem.reason(), message, false)));
  }

  /**
   * For a spec that cannot be carried out: fails where nothing was touched. Otherwise, where not
   * even both ends are known, it can only report that.
   */
  public static Decision invalid(
      Instant now, long generation, DeviceMigrationStatus status, InvalidSpecException problem) {
    if (status.phaseOrPending().terminal()) {
      return new Decision(status, List.of(), Optional.empty(), true);
    }
    StatusDraft draft = new StatusDraft(now, generation, status);
    if (status.phaseOrPending().untouched() && status.handoverOrUndecided() == Handover.UNDECIDED) {
      draft
          .enter(Phase.PENDING)
          .refuse(problem.reason(), problem.getMessage() + " Nothing was touched.");
      return new Decision(draft.build(0), List.of(), Optional.empty(), true);
    }
    draft.condition(
        ConditionType.SUCCEEDED,
        Status.UNKNOWN,
        problem.reason(),
        "Left as it is, because the spec does not even name both devices: "
            + problem.getMessage()
            + " Install the version of the operator that this object was made for.");
    return new Decision(
        draft.build(status.attempt() == null ? 0 : status.attempt()),
        List.of(),
        Optional.empty(),
        false);
  }
}
