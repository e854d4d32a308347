package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.util.Optional;

/** How a migration ends of which no command has reached a device: at once, with nothing to undo. */
final class Untouched {
  private final DecisionDraft draft;
  private final StatusDraft status;

  Untouched(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
  }

  /** Where it was cancelled or deleted, or its namespace is not allowed. */
  Optional<Decision> ended() {
    if (draft.seen().deletionRequested()) {
      return Optional.of(cancelled(ConditionReason.CANCELLED_BY_DELETION));
    }
    if (draft.settings().cancel()) {
      return Optional.of(cancelled(ConditionReason.CANCELLED_BY_USER));
    }
    // In both phases: an earlier leader may have been configured with another list.
    return draft.seen().adminNamespaces().allow(draft.seen().namespace())
        ? Optional.empty()
        : Optional.of(namespaceNotAllowed());
  }

  private Decision cancelled(ConditionReason reason) {
    String message = "Cancelled before anything was touched.";
    status.condition(ConditionType.SUCCEEDED, Status.FALSE, reason, message);
    if (status.reasonOf(ConditionType.VALIDATED) != ConditionReason.VALID) {
      status.condition(
          ConditionType.VALIDATED,
          Status.UNKNOWN,
          reason,
          "Cancelled before both devices were checked.");
    }
    status.endUntouched(reason, message, true);
    return draft.finished();
  }

  private Decision namespaceNotAllowed() {
    return refused(
        ConditionReason.NAMESPACE_NOT_ALLOWED,
        """
        Namespace %s may not migrate devices by node and name; allowed: %s. Nothing was touched, \
        and no agent was asked. An administrator creates the migration in a namespace that is \
        allowed, or adds this one to the operator's admin-namespaces (the chart's \
        admission.adminNamespaces): then whoever may create a DeviceMigration here can move any \
        workload's device.\
        """
            .formatted(draft.seen().namespace(), draft.seen().adminNamespaces()));
  }

  Decision refused(ConditionReason reason, String message) {
    status
        .deviceStates(draft.source().listedState(), draft.destination().listedState())
        .refuse(reason, message);
    return draft.finished();
  }
}
