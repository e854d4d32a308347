package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A status from which something was removed: emptied by hand, restored without its status, or
 * pruned by another CRD. That a decision is missing does not mean that none was taken, and that
 * nothing is recorded does not mean that nothing was begun. The phases, and what both agents still
 * report, count.
 */
final class LostRecord {
  /** States in which a destination that was activated never is again. */
  private static final Set<SessionState> NOT_ACTIVATED =
      EnumSet.of(
          SessionState.DESTINATION_LISTENING,
          SessionState.DESTINATION_RECEIVING,
          SessionState.DESTINATION_LOADED,
          SessionState.DESTINATION_DISCARDING,
          SessionState.DESTINATION_DISCARDED);

  private final DecisionDraft draft;
  private final StatusDraft status;

  LostRecord(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
  }

  /**
   * What follows where something was removed from the status; empty where nothing need have been.
   */
  Optional<Decision> decide() {
    return switch (draft.seen().status().handoverOrUndecided()) {
      case UNDECIDED -> withoutDecision();
      case COMMITTED -> withoutPhaseAfter(Phase.COMMITTED);
      case ROLLED_BACK -> withoutPhaseAfter(Phase.ROLLING_BACK);
    };
  }

  private Optional<Decision> withoutDecision() {
    if (wasCommitted()) {
      return Optional.of(committed());
    }
    Phase phase = draft.seen().status().phaseOrPending();
    boolean lostSomething =
        switch (phase) {
          case PENDING, VALIDATING -> hasSession();
          case PREPARING, PRE_COPY -> isPaused();
          case SWITCHING_OVER -> false;
          case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED -> true;
        };
    if (!lostSomething) {
      return Optional.empty();
    }
    if (wasRolledBack()) {
      return Optional.of(back(phase, ConditionReason.ROLLED_BACK));
    }
    return Optional.of(
        mayHaveBeenActivated() ? held(phase) : back(phase, ConditionReason.CONTRADICTION));
  }

  /**
   * The decision is recorded, and the phase is one from before the decision, or is missing. A side
   * counts as settled only where that is known.
   */
  private Optional<Decision> withoutPhaseAfter(Phase after) {
    Phase phase = draft.seen().status().phaseOrPending();
    return switch (phase) {
      case PENDING, VALIDATING, PREPARING, PRE_COPY, SWITCHING_OVER -> {
        draft.touchBoth();
        status.enter(after);
        yield Optional.of(draft.again(Duration.ZERO));
      }
      case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED ->
          Optional.empty();
    };
  }

  /** Only a committed migration has these phases, or sessions in these states. */
  private boolean wasCommitted() {
    return status.wasIn(Phase.COMMITTED)
        || status.wasIn(Phase.SUCCEEDED)
        || states()
            .anyMatch(
                state ->
                    state == SessionState.DESTINATION_ACTIVATING
                        || state == SessionState.DESTINATION_ACTIVE
                        || state == SessionState.SOURCE_COMPLETING
                        || state == SessionState.SOURCE_COMPLETED);
  }

  private boolean hasSession() {
    return draft.sides().stream().anyMatch(side -> side.session().isPresent());
  }

  private Stream<SessionState> states() {
    return draft.sides().stream().flatMap(side -> side.session().stream()).map(Session::getState);
  }

  /**
   * The workload is paused only once SwitchingOver was recorded. A source that says why it failed,
   * as one whose journal is damaged, waits for a decision although it never got SwitchOver.
   */
  private boolean isPaused() {
    SessionState state = draft.source().state();
    return (state == SessionState.SOURCE_STOPNCOPY
            || state == SessionState.SOURCE_AWAITING_DECISION)
        && draft.source().session().filter(Session::hasFailure).isEmpty();
  }

  /** Only a migration that was rolled back has these phases. */
  private boolean wasRolledBack() {
    return status.wasIn(Phase.ROLLING_BACK)
        || status.wasIn(Phase.FAILED)
        || status.wasIn(Phase.CANCELLED);
  }

  /**
   * Whether the destination may run. A destination can be stranded before the decision and after
   * it. A destination that is not seen may have been activated long ago; only a source that does
   * not wait for the decision yet proves that it was not.
   */
  private boolean mayHaveBeenActivated() {
    SessionState state = draft.destination().state();
    return state == SessionState.DESTINATION_STRANDED
        || !RollbackSteps.provesNothingCommitted(draft.source().state())
            && !NOT_ACTIVATED.contains(state);
  }

  private Decision committed() {
    draft.touchBoth();
    status
        .condition(
            ConditionType.HANDED_OVER,
            Status.TRUE,
            ConditionReason.COMMITTED,
            "The destination owns the state; the source never runs it again. The status had lost"
                + " that it was committed: "
                + evidence()
                + " says so.")
        .commit();
    return draft.again(Duration.ZERO);
  }

  private String evidence() {
    return status.wasIn(Phase.COMMITTED) || status.wasIn(Phase.SUCCEEDED)
        ? "the phase"
        : "what the agents report (" + reports() + ")";
  }

  private String reports() {
    return "source " + draft.source().state() + ", destination " + draft.destination().state();
  }

  private Decision back(Phase phase, ConditionReason reason) {
    draft.touchBoth();
    return draft.rollBack(
        reason,
        """
        The status lost a part of what was recorded: it says phase %s although the handover is \
        undecided, and the agents report %s. Rolling back.\
        """
            .formatted(phase.text(), reports()),
        false);
  }

  /** No command is given to either side: the source would run while the destination may. */
  private Decision held(Phase phase) {
    draft.touchBoth();
    status
        .enter(Phase.ACTION_REQUIRED)
        .condition(
            ConditionType.SUCCEEDED,
            Status.UNKNOWN,
            ConditionReason.CONTRADICTION,
            """
            The status lost a part of what was recorded: it said phase %s and no decision, while \
            the agents report %s. Whether it was committed is not known, and no command is given \
            to either side. Look at the journal of %s (strings FILE): with the entry Activating \
            it was committed, and status.handover is to be set to Committed by hand, else to \
            RolledBack.\
            """
                .formatted(phase.text(), reports(), draft.destination().location()));
    return draft.again(DecisionDraft.SOON);
  }
}
