package dev.vfio.migration.operator.status;

/** The aspects of a migration that conditions describe, in the order in which they come true. */
public enum ConditionType {
  VALIDATED("Validated", "Both devices exist, are free and fit each other."),
  DESTINATION_READY(
      "DestinationReady",
      "The destination has claimed its device and receives, holds or runs the state."),
  SOURCE_READY(
      "SourceReady", "The source has claimed its device and is connected to the destination."),
  CONVERGED("Converged", "The copy is good enough to pause the workload."),
  HANDED_OVER("HandedOver", "The destination owns the state."),
  SUCCEEDED("Succeeded", "The device and its workload run at the destination.");

  private final String text;
  private final String description;

  ConditionType(String text, String description) {
    this.text = text;
    this.description = description;
  }

  /** The condition's {@code type} as users read it. */
  public String text() {
    return text;
  }

  /** What it means when the condition is True. */
  public String description() {
    return description;
  }
}
