package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Phase;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A status that says less than it once did: emptied by hand, restored without its status, or pruned
 * by another CRD. That a decision is missing does not mean that none was taken, and that nothing is
 * recorded does not mean that nothing was begun. What the phases and both agents still tell counts.
 */
final class LostRecord {
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
    boolean begun =
        switch (phase) {
          case PENDING, VALIDATING -> hasSession();
          case PREPARING, PRE_COPY, SWITCHING_OVER -> false;
          case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED -> true;
        };
    if (!begun) {
      return Optional.empty();
    }
    return Optional.of(mayHaveBeenActivated() ? held(phase) : back(phase));
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

  /** A destination strands before the decision, and after it. */
  private boolean mayHaveBeenActivated() {
    return states().anyMatch(state -> state == SessionState.DESTINATION_STRANDED);
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

  private Decision back(Phase phase) {
    draft.touch(Role.SOURCE).touch(Role.DESTINATION);
    return new BeforeHandover(seen, draft)
        .backTo(
            ConditionReason.CONTRADICTION,
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
