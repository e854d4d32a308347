package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.operator.status.ConditionReason;

/** What an agent's reason is called in a condition. */
final class AgentReasons {
  private AgentReasons() {}

  static ConditionReason conditionReason(Reason reason) {
    return switch (reason) {
      case INVALID_REQUEST -> ConditionReason.INVALID_REQUEST;
      case UNKNOWN_DEVICE -> ConditionReason.UNKNOWN_DEVICE;
      case NO_MIGRATION_REGION -> ConditionReason.NO_MIGRATION_REGION;
      case DEVICE_BUSY -> ConditionReason.DEVICE_BUSY;
      case DEVICE_NOT_RESET -> ConditionReason.DEVICE_NOT_RESET;
      case INCOMPATIBLE_DEVICE -> ConditionReason.INCOMPATIBLE_DEVICE;
      case NO_CAPACITY -> ConditionReason.NO_CAPACITY;
      case UNKNOWN_SESSION -> ConditionReason.SESSION_LOST;
      case DEVICE_UNREACHABLE -> ConditionReason.DEVICE_UNREACHABLE;
      case TRANSITION_FAILED -> ConditionReason.TRANSITION_FAILED;
      case DEVICE_READ_FAILED -> ConditionReason.DEVICE_READ_FAILED;
      case DEVICE_WRITE_FAILED -> ConditionReason.DEVICE_WRITE_FAILED;
      case DEVICE_PROTOCOL_VIOLATION -> ConditionReason.DEVICE_PROTOCOL_VIOLATION;
      case DEVICE_NEVER_DRY -> ConditionReason.DEVICE_NEVER_DRY;
      case MEMORY_UNREACHABLE -> ConditionReason.MEMORY_UNREACHABLE;
      case WORKLOAD_UNREACHABLE -> ConditionReason.WORKLOAD_UNREACHABLE;
      case WORKLOAD_PAUSE_FAILED -> ConditionReason.WORKLOAD_PAUSE_FAILED;
      case STREAM_REFUSED -> ConditionReason.STREAM_REFUSED;
      case STREAM_BROKEN -> ConditionReason.STREAM_BROKEN;
      case STREAM_CORRUPT -> ConditionReason.STREAM_CORRUPT;
      case STREAM_UNAUTHENTICATED -> ConditionReason.STREAM_UNAUTHENTICATED;
      case STREAM_VERSION -> ConditionReason.STREAM_VERSION;
      case JOURNAL_FAILED -> ConditionReason.JOURNAL_FAILED;
      case AGENT_RESTARTED -> ConditionReason.AGENT_RESTARTED;
      case NOT_LOADED -> ConditionReason.STATE_LOST;
      case ROLLED_BACK, ALREADY_ROLLED_BACK -> ConditionReason.ROLLED_BACK;
      case CANCELLED_BY_USER -> ConditionReason.CANCELLED_BY_USER;
      case STALE_FENCING_NUMBER,
          NOT_READY,
          ALREADY_COMMITTED,
          INTERNAL_ERROR,
          REASON_UNSPECIFIED,
          UNRECOGNIZED ->
          ConditionReason.AGENT_FAILED;
    };
  }

  /**
   * True for reasons that are mostly the echo of a failure at the other end of the state stream.
   */
  static boolean echo(ConditionReason reason) {
    return reason == ConditionReason.STREAM_BROKEN
        || reason == ConditionReason.STREAM_REFUSED
        || reason == ConditionReason.ROLLED_BACK
        || reason == ConditionReason.CANCELLED_BY_USER;
  }
}
