package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Phase;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A status that says less than it once did: emptied by hand, restored without its status, or pruned
 * by another CRD. That a decision is missing does not mean that none was taken, and that nothing is
 * recorded does not mean that nothing was begun. What the phases and both agents still tell counts.
 */
final class LostRecord {
  /** What a destination that was activated never is again. */
  private static final Set<SessionState> NOT_ACTIVATED =
      EnumSet.of(
          SessionState.DESTINATION_LISTENING,
          SessionState.DESTINATION_RECEIVING,
          SessionState.DESTINATION_LOADED,
          SessionState.DESTINATION_DISCARDING,
          SessionState.DESTINATION_DISCARDED);

  private final Observation seen;
  private final StatusDraft draft;

  LostRecord(Observation seen) {
    this.seen = seen;
    this.draft = new StatusDraft(seen);
  }

  /**
   * What follows where the status that says Undecided once said more; empty where it need not have.
   */
  Optional<Decision> decide() {
    if (wasCommitted()) {
      return Optional.of(committed());
    }
    Phase phase = draft.phase() == null ? Phase.PENDING : draft.phase();
    boolean saidMore =
        switch (phase) {
          case PENDING, VALIDATING -> hasSession();
          case PREPARING, PRE_COPY -> isPaused();
          case SWITCHING_OVER -> false;
          case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED -> true;
        };
    if (!saidMore) {
      return Optional.empty();
    }
    if (wasRolledBack()) {
      return Optional.of(back(phase, ConditionReason.ROLLED_BACK));
    }
    return Optional.of(
        mayHaveBeenActivated() ? held(phase) : back(phase, ConditionReason.CONTRADICTION));
  }

  /**
   * What follows where the decision is known and the phase is one of before it, or is missing;
   * empty where it is not. A side that is not known to be settled is not taken for one.
   */
  Optional<Decision> withoutItsPhase(Phase after) {
    Phase phase = draft.phase() == null ? Phase.PENDING : draft.phase();
    return switch (phase) {
      case PENDING, VALIDATING, PREPARING, PRE_COPY, SWITCHING_OVER -> {
        draft.touch(Role.SOURCE).touch(Role.DESTINATION).enter(after);
        yield Optional.of(
            new Decision(
                draft.build(seen.attempt()), List.of(), Optional.of(Duration.ZERO), false));
      }
      case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED ->
          Optional.empty();
    };
  }

  /** No phase and no state of an agent but those after Committed leads there. */
  private boolean wasCommitted() {
    return draft.wasIn(Phase.COMMITTED)
        || draft.wasIn(Phase.SUCCEEDED)
        || states()
            .anyMatch(
                state ->
                    state == SessionState.DESTINATION_ACTIVATING
                        || state == SessionState.DESTINATION_ACTIVE
                        || state == SessionState.SOURCE_COMPLETING
                        || state == SessionState.SOURCE_COMPLETED);
  }

  private boolean hasSession() {
    return Stream.of(seen.source(), seen.destination())
        .anyMatch(side -> side.session().isPresent());
  }

  private Stream<SessionState> states() {
    return Stream.of(seen.source(), seen.destination())
        .flatMap(side -> side.session().stream())
        .map(Session::getState);
  }

  /**
   * The workload is paused only once SwitchingOver was recorded. A source that says why it failed,
   * as one whose journal is damaged, waits for a decision without having been told to pause.
   */
  private boolean isPaused() {
    SessionState state = seen.source().state();
    return (state == SessionState.SOURCE_STOPNCOPY
            || state == SessionState.SOURCE_AWAITING_DECISION)
        && seen.source().session().filter(Session::hasFailure).isEmpty();
  }

  /** No phase but those after RolledBack leads there. */
  private boolean wasRolledBack() {
    return draft.wasIn(Phase.ROLLING_BACK)
        || draft.wasIn(Phase.FAILED)
        || draft.wasIn(Phase.CANCELLED);
  }

  /**
   * Whether the destination may run for all that is seen now. One that strands does so before the
   * decision and after it; one that is not seen may have been activated long ago, and only a source
   * that does not wait for the decision yet tells that nobody took it.
   */
  private boolean mayHaveBeenActivated() {
    SessionState state = seen.destination().state();
    return state == SessionState.DESTINATION_STRANDED
        || !AfterRolledBack.provesNothingCommitted(seen.source().state())
            && !NOT_ACTIVATED.contains(state);
  }

  private Decision committed() {
    draft
        .touch(Role.SOURCE)
        .touch(Role.DESTINATION)
        .condition(
            ConditionType.HANDED_OVER,
            Status.TRUE,
            ConditionReason.COMMITTED,
            "The destination owns the state; the source never runs it again. The status had lost"
                + " that it was committed: "
                + told()
                + " says so.")
        .commit();
    return new Decision(draft.build(seen.attempt()), List.of(), Optional.of(Duration.ZERO), false);
  }

  private String told() {
    return draft.wasIn(Phase.COMMITTED) || draft.wasIn(Phase.SUCCEEDED)
        ? "the phase"
        : "what the agents report (" + reports() + ")";
  }

  private String reports() {
    return "source " + seen.source().state() + ", destination " + seen.destination().state();
  }

  private Decision back(Phase phase, ConditionReason reason) {
    draft.touch(Role.SOURCE).touch(Role.DESTINATION);
    return new BeforeHandover(seen, draft)
        .backTo(
            reason,
            "The status says phase "
                + phase.text()
                + " although the handover is undecided, and the agents report "
                + reports()
                + ": it once said more. Rolling back.");
  }

  /** Nobody is told anything: the source would run while the destination may. */
  private Decision held(Phase phase) {
    draft
        .touch(Role.SOURCE)
        .touch(Role.DESTINATION)
        .enter(Phase.ACTION_REQUIRED)
        .condition(
            ConditionType.SUCCEEDED,
            Status.UNKNOWN,
            ConditionReason.CONTRADICTION,
            "The status said phase "
                + phase.text()
                + " and no decision, and the agents report "
                + reports()
                + ": it once said more, and whether it was committed is not known. Neither side is"
                + " told anything. Look at the journal of "
                + seen.destination().location()
                + " (strings FILE): with the entry Activating it was committed, and status.handover"
                + " is to be set to Committed by hand, else to RolledBack.");
    return new Decision(draft.build(seen.attempt()), List.of(), Optional.of(Decisions.SOON), false);
  }
}
