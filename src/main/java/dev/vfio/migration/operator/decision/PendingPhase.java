package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.admission.Predecessor;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;

/**
 * Pending: waits until no other migration uses or wants its devices. Gives no command.
 *
 * <pre>
 * both devices are free         Validating
 * cancelled or deleted          Cancelled
 * the namespace is not allowed  Failed
 * </pre>
 */
final class PendingPhase implements PhaseDecision {
  private static final Duration UNTIL_NEXT_LOOK = DecisionDraft.SOON.multipliedBy(5);

  private final DecisionDraft draft;
  private final Untouched untouched;

  PendingPhase(DecisionDraft draft) {
    this.draft = draft;
    this.untouched = new Untouched(draft);
  }

  @Override
  public Decision decide() {
    draft.status().enter(Phase.PENDING);
    return untouched
        .ended()
        .or(() -> draft.seen().predecessor().map(this::waitFor))
        .orElseGet(this::begin);
  }

  private Decision waitFor(Predecessor first) {
    draft
        .status()
        .condition(
            ConditionType.VALIDATED,
            Status.UNKNOWN,
            ConditionReason.WAITING_FOR_DEVICE,
            "Waits for " + first.qualifiedName() + ", which uses " + first.device() + ".")
        .condition(
            ConditionType.SUCCEEDED,
            Status.UNKNOWN,
            ConditionReason.WAITING_FOR_DEVICE,
            "Not started. Validated says which migration it waits for.");
    return draft.again(UNTIL_NEXT_LOOK);
  }

  private Decision begin() {
    StatusDraft status = draft.status().enter(Phase.VALIDATING);
    unknown(
        status,
        ConditionType.VALIDATED,
        ConditionReason.VALIDATING,
        "Asking both agents about both devices.");
    unknown(
        status, ConditionType.DESTINATION_READY, ConditionReason.NOT_STARTED, "Not prepared yet.");
    unknown(status, ConditionType.SOURCE_READY, ConditionReason.NOT_STARTED, "Not started yet.");
    unknown(status, ConditionType.CONVERGED, ConditionReason.NOT_STARTED, "Copying has not begun.");
    status.condition(
        ConditionType.HANDED_OVER,
        Status.FALSE,
        ConditionReason.UNDECIDED,
        "Everything can still go back to the source.");
    unknown(
        status,
        ConditionType.SUCCEEDED,
        ConditionReason.IN_PROGRESS,
        "The migration is in progress.");
    return draft.again(Duration.ZERO);
  }

  private static void unknown(
      StatusDraft status, ConditionType type, ConditionReason reason, String message) {
    status.condition(type, Status.UNKNOWN, reason, message);
  }
}
