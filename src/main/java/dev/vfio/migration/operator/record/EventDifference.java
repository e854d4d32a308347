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
 * The events that a change of status is worth. Pure: what was written before and after is all there
 * is to it.
 */
final class EventDifference {
  /** One event to tell. */
  record Chapter(EventReason reason, String note) {}

  private final DeviceMigrationStatus before;
  private final DeviceMigrationStatus after;
  private final List<Chapter> chapters = new ArrayList<>();

  private EventDifference(DeviceMigrationStatus before, DeviceMigrationStatus after) {
    this.before = before;
    this.after = after;
  }

  static List<Chapter> between(DeviceMigrationStatus before, DeviceMigrationStatus after) {
    EventDifference story = new EventDifference(before, after);
    story.conditions();
    story.handover();
    if (after.phase() != before.phase()) {
      story.phase(after.phase());
    }
    return List.copyOf(story.chapters);
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
      tell(event, now.get().message());
    }
  }

  private void handover() {
    if (after.handover() == before.handover()) {
      return;
    }
    if (after.handover() == Handover.COMMITTED) {
      tell(EventReason.COMMITTED, message(ConditionType.HANDED_OVER));
    }
    if (after.handover() == Handover.ROLLED_BACK && after.phase() == Phase.ROLLING_BACK) {
      tell(EventReason.ROLLED_BACK, cause());
    }
  }

  private void phase(Phase phase) {
    switch (phase) {
      case PRE_COPY -> tell(EventReason.PRE_COPY_STARTED, phase.description());
      case SWITCHING_OVER -> tell(EventReason.SWITCHING_OVER, phase.description());
      case SUCCEEDED ->
          tell(
              EventReason.SUCCEEDED,
              message(ConditionType.SUCCEEDED)
                  + (after.downtime() == null
                      ? ""
                      : " It was paused for " + after.downtime() + "."));
      case FAILED -> {
        if (before.handover() == Handover.ROLLED_BACK) {
          tell(EventReason.FAILED, message(ConditionType.SUCCEEDED));
        } else {
          tell(EventReason.REFUSED, cause());
        }
      }
      case CANCELLED -> tell(EventReason.CANCELLED, message(ConditionType.SUCCEEDED));
      case ACTION_REQUIRED -> tell(EventReason.ACTION_REQUIRED, message(ConditionType.SUCCEEDED));
      case PENDING, VALIDATING, PREPARING, COMMITTED, ROLLING_BACK -> {
        // Told by a condition or by the handover.
      }
    }
  }

  private void tell(EventReason reason, String note) {
    chapters.add(new Chapter(reason, note));
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
