package dev.vfio.migration.agent.machine;

/** Why something was refused or went wrong. The names are those of the contract. */
public enum Reason {
  INVALID_REQUEST("the request makes no sense"),
  UNKNOWN_DEVICE("there is no such device on this node"),
  NO_MIGRATION_REGION("the device cannot migrate"),
  DEVICE_BUSY("somebody else holds the device"),
  DEVICE_NOT_RESET("the device holds what an earlier migration left in it"),
  INCOMPATIBLE_DEVICE("the devices or their windows differ"),
  NO_CAPACITY("too many sessions are under way here, or too little memory is free for one more"),
  UNKNOWN_SESSION("there is no such session here"),
  STALE_FENCING_NUMBER("the caller is no longer the leader"),
  NOT_LOADED("the state is not loaded"),
  ALREADY_COMMITTED("the handover was committed before"),
  ALREADY_ROLLED_BACK("the handover was rolled back before"),
  NOT_READY("too early: the session is not that far"),
  DEVICE_UNREACHABLE("the device does not answer"),
  TRANSITION_FAILED("the device refused a change of state"),
  DEVICE_READ_FAILED("the device's state could not be read"),
  DEVICE_WRITE_FAILED("the device did not take its state"),
  DEVICE_PROTOCOL_VIOLATION("the device answered what the interface forbids"),
  DEVICE_NEVER_DRY("stopped, the device says that bytes are pending and hands out none"),
  MEMORY_UNREACHABLE("a DMA window cannot be read or written"),
  WORKLOAD_UNREACHABLE("the workload does not answer"),
  WORKLOAD_PAUSE_FAILED("the workload did not pause"),
  STREAM_REFUSED("the other end does not take the state stream"),
  STREAM_BROKEN("the state stream ended early"),
  STREAM_CORRUPT("a checksum, length or sequence on the state stream is wrong"),
  STREAM_UNAUTHENTICATED("certificate or token of the state stream are not good"),
  STREAM_VERSION("the other end speaks another version of the state stream"),
  JOURNAL_FAILED("the journal could not be written or read"),
  AGENT_RESTARTED("the agent was restarted before the handover"),
  ROLLED_BACK("the operator rolled the migration back"),
  CANCELLED_BY_USER("a user cancelled the migration"),
  INTERNAL_ERROR("a fault in the agent itself");

  private final String description;

  Reason(String description) {
    this.description = description;
  }

  /** A few words for people. */
  public String description() {
    return description;
  }
}
