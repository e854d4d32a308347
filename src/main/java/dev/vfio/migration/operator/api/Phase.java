package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Where a migration stands.
 *
 * <pre>
 * Pending -> Validating -> Preparing -> PreCopy -> SwitchingOver -> Committed -> Succeeded
 *    |           |             |           |            |               |
 *    |           |             +-----------+------------+               v
 *    |           |                         v                      ActionRequired -> Succeeded
 *    |           |                    RollingBack -> ActionRequired
 *    v           v                         v               v
 * Cancelled    Failed              Failed, Cancelled  Failed, Cancelled
 * </pre>
 *
 * Cold migrations skip PreCopy.
 */
public enum Phase {
  @JsonProperty("Pending")
  PENDING(
      "Pending",
      false,
      "Accepted; may wait for another migration that uses one of the devices. Nothing was"
          + " touched."),
  @JsonProperty("Validating")
  VALIDATING("Validating", false, "Both agents are asked about both devices. Nothing was touched."),
  @JsonProperty("Preparing")
  PREPARING(
      "Preparing",
      false,
      "The destination is put into RESUME and the source into SETUP. The workload runs at the"
          + " source."),
  @JsonProperty("PreCopy")
  PRE_COPY(
      "PreCopy", false, "State and memory are copied in rounds. The workload runs at the source."),
  @JsonProperty("SwitchingOver")
  SWITCHING_OVER(
      "SwitchingOver",
      false,
      "The workload is paused and the rest is copied. Everything can still go back to the source."),
  @JsonProperty("Committed")
  COMMITTED(
      "Committed",
      false,
      "Decided: the destination owns the state and is being activated. The source never runs it"
          + " again."),
  @JsonProperty("Succeeded")
  SUCCEEDED("Succeeded", true, "The device and its workload run at the destination."),
  @JsonProperty("RollingBack")
  ROLLING_BACK(
      "RollingBack",
      false,
      "Decided: the source keeps the state and its workload is being resumed; the destination is"
          + " reset."),
  @JsonProperty("Failed")
  FAILED(
      "Failed",
      true,
      "The migration did not happen, and the source keeps its state: SourceReady says how it was"
          + " last seen."),
  @JsonProperty("Cancelled")
  CANCELLED(
      "Cancelled",
      true,
      "Cancelled before the handover, and the source keeps its state: SourceReady says how it"
          + " was last seen."),
  @JsonProperty("ActionRequired")
  ACTION_REQUIRED(
      "ActionRequired",
      false,
      "The handover is decided but one side cannot carry it out: the conditions say what a person"
          + " must do.");

  private final String text;
  private final boolean terminal;
  private final String description;

  Phase(String text, boolean terminal, String description) {
    this.text = text;
    this.terminal = terminal;
    this.description = description;
  }

  /** The name as users read it in {@code status.phase}. */
  public String text() {
    return text;
  }

  /** True before a command can have reached a device. */
  public boolean untouched() {
    return this == PENDING || this == VALIDATING;
  }

  /** True when the phase never changes again. */
  public boolean terminal() {
    return terminal;
  }

  /** One or two sentences for people. */
  public String description() {
    return description;
  }
}
