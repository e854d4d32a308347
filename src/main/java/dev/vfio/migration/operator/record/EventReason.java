package dev.vfio.migration.operator.record;

/**
 * Every event that a DeviceMigration can get. Closed: docs/reference.md, which is generated from
 * here, lists them all.
 */
public enum EventReason {
  WAITING("Waiting", false, "Waits for another migration that uses one of the devices."),
  VALIDATED("Validated", false, "Both devices exist, are free and fit each other."),
  REFUSED("Refused", true, "The migration cannot be carried out; nothing was touched."),
  AGENT_UNAVAILABLE("AgentUnavailable", true, "A node agent cannot be reached and is waited for."),
  PRE_COPY_STARTED("PreCopyStarted", false, "Copying has begun while the workload runs."),
  CONVERGED("Converged", false, "The copy is good enough to pause the workload."),
  WAITING_FOR_SWITCHOVER(
      "WaitingForSwitchover", false, "Converged; waits for spec.switchover to become Automatic."),
  STALLED("Stalled", true, "The workload changes its state as fast as it is copied."),
  SWITCHING_OVER("SwitchingOver", false, "The workload is being paused and the rest copied."),
  LONG_PAUSE(
      "LongPause",
      true,
      "The workload has been paused for unusually long; the message says until when at the"
          + " latest."),
  COMMITTED("Committed", false, "Decided: the destination owns the state."),
  ROLLED_BACK("RolledBack", true, "Decided: the source keeps the state."),
  TAKEN_BACK(
      "TakenBack",
      true,
      "Decided after Committed, by an administrator: the source runs again, because the"
          + " destination's workload never ran and its device lost the state or will not run."),
  SUCCEEDED("Succeeded", false, "The device and its workload run at the destination."),
  FAILED("Failed", true, "The migration did not happen; the source keeps its state."),
  CANCELLED("Cancelled", false, "The migration was cancelled; the source keeps its state."),
  SOURCE_RELEASED("SourceReleased", false, "The source has released its device."),
  RESET_FAILED(
      "ResetFailed",
      true,
      "A device was released without the reset that it needs before it is used again."),
  ACTION_REQUIRED("ActionRequired", true, "A person must do something; the message says what."),
  UNREADABLE(
      "Unreadable",
      true,
      "The object cannot be read by this version of the operator and is left alone.");

  private final String text;
  private final boolean warning;
  private final String description;

  EventReason(String text, boolean warning, String description) {
    this.text = text;
    this.warning = warning;
    this.description = description;
  }

  /** The event's reason as users read it. */
  public String text() {
    return text;
  }

  /** True for type Warning, false for Normal. */
  public boolean warning() {
    return warning;
  }

  /** One sentence for people. */
  public String description() {
    return description;
  }
}
