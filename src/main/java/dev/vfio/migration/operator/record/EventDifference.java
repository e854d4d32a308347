package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The events that a change of status calls for, by nothing but the status before and after it.
 * Pure.
 */
final class EventDifference {
  /** One event to record. */
  record Difference(EventReason reason, String note) {}

  private final DeviceMigrationStatus before;
  private final DeviceMigrationStatus after;
  private final List<Difference> differences = new ArrayList<>();

  private EventDifference(DeviceMigrationStatus before, DeviceMigrationStatus after) {
    this.before = before;
    this.after = after;
  }

  static List<Difference> between(DeviceMigrationStatus before, DeviceMigrationStatus after) {
    EventDifference difference = new EventDifference(before, after);
    difference.conditions();
    difference.handover();
    if (after.phase() != before.phase()) {
      difference.phase(after.phase()).ifPresent(difference.differences::add);
    }
    return List.copyOf(difference.differences);
  }

  private void conditions() {
    became(ConditionType.VALIDATED, ConditionReason.WAITING_FOR_DEVICE, EventReason.WAITING);
    became(
        ConditionType.VALIDATED, ConditionReason.AGENT_UNAVAILABLE, EventReason.AGENT_UNAVAILABLE);
    became(ConditionType.VALIDATED, ConditionReason.VALID, EventReason.VALIDATED);
    became(
        ConditionType.SOURCE_READY,
        ConditionReason.AGENT_UNAVAILABLE,
        EventReason.AGENT_UNAVAILABLE);
    became(
        ConditionType.DESTINATION_READY,
        ConditionReason.AGENT_UNAVAILABLE,
        EventReason.AGENT_UNAVAILABLE);
    became(ConditionType.CONVERGED, ConditionReason.WITHIN_DOWNTIME_LIMIT, EventReason.CONVERGED);
    became(ConditionType.CONVERGED, ConditionReason.BELOW_THRESHOLD, EventReason.CONVERGED);
    became(
        ConditionType.CONVERGED,
        ConditionReason.WAITING_FOR_SWITCHOVER,
        EventReason.WAITING_FOR_SWITCHOVER);
    became(ConditionType.CONVERGED, ConditionReason.STALLED, EventReason.STALLED);
    became(ConditionType.CONVERGED, ConditionReason.TOO_LONG, EventReason.STALLED);
    became(ConditionType.HANDED_OVER, ConditionReason.LONG_PAUSE, EventReason.LONG_PAUSE);
    became(ConditionType.SOURCE_READY, ConditionReason.RELEASED, EventReason.SOURCE_RELEASED);
    became(ConditionType.SOURCE_READY, ConditionReason.RESET_FAILED, EventReason.RESET_FAILED);
    became(ConditionType.DESTINATION_READY, ConditionReason.RESET_FAILED, EventReason.RESET_FAILED);
  }

  private void became(ConditionType type, ConditionReason reason, EventReason event) {
    Optional<Condition> now =
        condition(after, type).filter(condition -> condition.reason().equals(reason.text()));
    boolean already =
        condition(before, type)
            .filter(condition -> condition.reason().equals(reason.text()))
            .isPresent();
    if (now.isPresent() && !already) {
      add(event, now.get().message());
    }
  }

  private void handover() {
    if (after.takenBack() && !before.takenBack()) {
      add(EventReason.TAKEN_BACK, cause());
    }
    if (after.handover() == before.handover()) {
      return;
    }
    if (after.handover() == Handover.COMMITTED) {
      add(EventReason.COMMITTED, message(ConditionType.HANDED_OVER));
    }
    if (after.handover() == Handover.ROLLED_BACK && after.phase() == Phase.ROLLING_BACK) {
      add(EventReason.ROLLED_BACK, cause());
    }
  }

  private Optional<Difference> phase(Phase phase) {
    return switch (phase) {
      case PRE_COPY -> difference(EventReason.PRE_COPY_STARTED, phase.description());
      case SWITCHING_OVER -> difference(EventReason.SWITCHING_OVER, phase.description());
      case SUCCEEDED ->
          difference(
              EventReason.SUCCEEDED,
              message(ConditionType.SUCCEEDED)
                  + (after.downtime() == null
                      ? ""
                      : " It was paused for " + after.downtime() + "."));
      case FAILED ->
          before.handover() == Handover.ROLLED_BACK || before.takenBack()
              ? difference(EventReason.FAILED, message(ConditionType.SUCCEEDED))
              : difference(EventReason.REFUSED, cause());
      case CANCELLED -> difference(EventReason.CANCELLED, message(ConditionType.SUCCEEDED));
      case ACTION_REQUIRED ->
          difference(EventReason.ACTION_REQUIRED, message(ConditionType.SUCCEEDED));
      // A condition or the handover has an event of its own.
      case PENDING, VALIDATING, PREPARING, COMMITTED, ROLLING_BACK -> Optional.empty();
    };
  }

  private static Optional<Difference> difference(EventReason reason, String note) {
    return Optional.of(new Difference(reason, note));
  }

  private void add(EventReason reason, String note) {
    differences.add(new Difference(reason, note));
  }

  private String cause() {
    return after.rollback() == null ? message(ConditionType.SUCCEEDED) : after.rollback().message();
  }

  private String message(ConditionType type) {
    return condition(after, type).map(Condition::message).orElse(after.phase().description());
  }

  private static Optional<Condition> condition(DeviceMigrationStatus status, ConditionType type) {
    return status.conditions().stream()
        .filter(condition -> condition.type().equals(type.text()))
        .findFirst();
  }
}
