package dev.vfio.migration.operator.status;

import java.util.Arrays;
import java.util.Optional;

/**
 * Every reason that a condition can carry. Closed: docs/reference.md, which is generated from here,
 * lists them all.
 */
public enum ConditionReason {
  // Before anything was touched.
  NOT_STARTED(
      "NotStarted", "It is not this condition's turn yet, or the migration ended before it was."),
  WAITING_FOR_DEVICE(
      "WaitingForDevice",
      "Another migration uses one of the devices; this one starts when that one has ended."),
  VALIDATING("Validating", "Both agents are being asked about both devices."),
  VALID("Valid", "Both devices exist, are free and fit each other."),
  INVALID_SPEC("InvalidSpec", "The spec cannot be carried out: the message names the field."),
  SAME_DEVICE("SameDevice", "Source and destination name the same device."),
  NAMESPACE_NOT_ALLOWED(
      "NamespaceNotAllowed",
      "Migrations that name nodes and devices are not carried out in this namespace."),
  UNKNOWN_NODE("UnknownNode", "No node agent runs on a node of that name."),
  UNKNOWN_DEVICE("UnknownDevice", "The node's agent has no such device."),
  NO_MIGRATION_REGION("NoMigrationRegion", "The device offers no migration interface."),
  DEVICE_BUSY(
      "DeviceBusy",
      "The device is in use: by another migration, at the destination by a workload, or by a"
          + " virtual machine."),
  DEVICE_NOT_RESET(
      "DeviceNotReset",
      "An earlier migration left the device in a state in which it may still hold what a workload"
          + " had in it: the message says how to reset it."),
  INCOMPATIBLE_DEVICE(
      "IncompatibleDevice",
      "The two devices, the drivers behind them, or the memory windows of their workloads,"
          + " differ."),
  AGENT_UNAVAILABLE(
      "AgentUnavailable",
      "A node agent cannot be reached; the message says why and for how long it is waited for."),
  NO_CAPACITY("NoCapacity", "A node agent has no room for another migration."),
  INVALID_REQUEST(
      "InvalidRequest",
      "A node agent refused a command as invalid: operator and agent may be of different"
          + " versions."),
  AGENT_TOO_OLD(
      "AgentTooOld",
      "The destination's agent is older than the operator and lacks what the operator needs."),

  // On the way.
  STARTING("Starting", "Being set up."),
  READY("Ready", "Set up and connected."),
  LOADED(
      "Loaded",
      "Has taken in all that the source sent, by count and checksum, says that it is loaded, and"
          + " waits for the decision."),
  COPYING("Copying", "State and memory are being copied."),
  WITHIN_DOWNTIME_LIMIT(
      "WithinDowntimeLimit", "What is pending takes no longer than the downtime limit."),
  BELOW_THRESHOLD("BelowThreshold", "No more than thresholdBytes is pending."),
  WAITING_FOR_SWITCHOVER(
      "WaitingForSwitchover",
      "Ready to switch over; waits until spec.switchover is changed to Automatic."),
  RELEASED_BY_HAND(
      "ReleasedByHand",
      "The switchover was held by spec.switchover until that was changed to Automatic."),
  STALLED("Stalled", "The workload changes its state as fast as it is copied."),
  TOO_LONG("TooLong", "Copying took longer than convergence.maxDuration."),
  COLD("Cold", "Cold migrations pause the workload before they copy."),
  UNDECIDED("Undecided", "Everything can still go back to the source."),
  LONG_PAUSE(
      "LongPause",
      "The workload has been paused for unusually long while the rest is copied: the message says"
          + " until when at the latest."),
  IN_PROGRESS("InProgress", "The migration is in progress."),

  // Decided.
  COMMITTED("Committed", "The destination owns the state; the source never runs it again."),
  ROLLED_BACK("RolledBack", "The source keeps the state; SourceReady says how it was last seen."),
  ROLLING_BACK("RollingBack", "Being brought back to the state it was in before."),
  ACTIVATING("Activating", "The destination is being brought to RUNNING."),
  ACTIVE("Active", "The destination is RUNNING and its workload has the device."),
  CLEANING_UP("CleaningUp", "The destination runs; the source is still releasing its device."),
  RELEASED("Released", "The source has released its device."),
  DISCARDED("Discarded", "The destination has dropped the state and released its device."),
  RESET_FAILED(
      "ResetFailed",
      "The device was released but could not be reset, or the reset did not help: a person must"
          + " reset it, before it is used again."),
  COMPLETED("Completed", "Done."),
  STRANDED(
      "Stranded",
      "The device could not be brought to RUNNING: the message says what a person must do."),
  CONTRADICTION(
      "Contradiction",
      "An agent reports what cannot be after the decision: the message says what a person must"
          + " check."),

  TAKEN_BACK(
      "TakenBack",
      "After Committed, and before its workload ran with it, the destination's device lost the"
          + " state or would not run; an administrator had the source run again."),

  // Why it was rolled back.
  CANCELLED_BY_USER("CancelledByUser", "spec.cancel was set."),
  CANCELLED_BY_DELETION("CancelledByDeletion", "The object was deleted before the handover."),
  DID_NOT_CONVERGE(
      "DidNotConverge", "The copy did not converge and convergence.onStall is Cancel."),
  PREPARING_TIMED_OUT("PreparingTimedOut", "Preparing took longer than timeouts.preparing."),
  SWITCHOVER_TIMED_OUT(
      "SwitchoverTimedOut", "SwitchingOver took longer than timeouts.switchingOver."),
  SESSION_LOST(
      "SessionLost",
      "An agent no longer knows this migration; the message says what it lists instead."),
  STATE_LOST(
      "StateLost",
      "The destination's device lost what it had taken in before the handover was decided."),
  DEVICE_UNREACHABLE("DeviceUnreachable", "The device does not answer."),
  TRANSITION_FAILED("TransitionFailed", "The device refused a state."),
  DEVICE_READ_FAILED("DeviceReadFailed", "Device state could not be read."),
  DEVICE_WRITE_FAILED("DeviceWriteFailed", "Device state could not be written."),
  DEVICE_PROTOCOL_VIOLATION(
      "DeviceProtocolViolation", "The device broke the rules of the migration interface."),
  DEVICE_NEVER_DRY(
      "DeviceNeverDry", "The device kept having more state to send although it was stopped."),
  MEMORY_UNREACHABLE(
      "MemoryUnreachable", "The workload's memory windows could not be read or written."),
  WORKLOAD_UNREACHABLE("WorkloadUnreachable", "The workload does not answer."),
  WORKLOAD_PAUSE_FAILED("WorkloadPauseFailed", "The workload could not be paused."),
  STREAM_REFUSED("StreamRefused", "The destination did not accept the state stream."),
  STREAM_BROKEN("StreamBroken", "The state stream ended early."),
  STREAM_CORRUPT("StreamCorrupt", "The state stream did not arrive as it was sent."),
  STREAM_UNAUTHENTICATED(
      "StreamUnauthenticated", "The state stream's certificate or token was not accepted."),
  STREAM_VERSION("StreamVersion", "The agents speak different versions of the state stream."),
  JOURNAL_FAILED("JournalFailed", "An agent could not write its journal."),
  AGENT_RESTARTED(
      "AgentRestarted", "An agent was restarted at a point from which it could only go back."),
  AGENT_FAILED(
      "AgentFailed", "An agent failed for a reason of its own: the message and its log say more.");

  private final String text;
  private final String description;

  ConditionReason(String text, String description) {
    this.text = text;
    this.description = description;
  }

  /** The condition's {@code reason} as users read it. */
  public String text() {
    return text;
  }

  /** One sentence for people. */
  public String description() {
    return description;
  }

  /** The reason that users read as {@code text}. */
  public static Optional<ConditionReason> of(String text) {
    return Arrays.stream(values()).filter(reason -> reason.text.equals(text)).findFirst();
  }
}
