package dev.vfio.migration.agent.machine;

/** Where a session stands, as its watchers see it. The names are those of the contract. */
public enum SessionState {
  SOURCE_STARTING(Role.SOURCE, false, "opens the device and connects to the destination"),
  SOURCE_READY(Role.SOURCE, false, "set up and connected; waits for the switch-over"),
  SOURCE_PRECOPY(Role.SOURCE, false, "copies while the workload runs"),
  SOURCE_STOPNCOPY(Role.SOURCE, false, "the workload stands still; the rest is sent"),
  SOURCE_AWAITING_DECISION(Role.SOURCE, false, "all is sent; paused until the decision is known"),
  SOURCE_COMPLETING(Role.SOURCE, false, "committed; cleans up"),
  SOURCE_COMPLETED(Role.SOURCE, true, "committed; the device is released"),
  SOURCE_ROLLING_BACK(Role.SOURCE, false, "brings the device and the workload back to running"),
  SOURCE_ROLLED_BACK(Role.SOURCE, true, "rolled back; the device is released"),
  SOURCE_STRANDED(Role.SOURCE, false, "could not be brought back to running; a person is needed"),

  DESTINATION_LISTENING(Role.DESTINATION, false, "waits for the state stream"),
  DESTINATION_RECEIVING(Role.DESTINATION, false, "takes in state"),
  DESTINATION_LOADED(Role.DESTINATION, false, "holds everything, verified; waits for the decision"),
  DESTINATION_ACTIVATING(Role.DESTINATION, false, "committed; starts the device"),
  DESTINATION_ACTIVE(Role.DESTINATION, true, "device and workload run here"),
  DESTINATION_DISCARDING(Role.DESTINATION, false, "discards the restored state"),
  DESTINATION_DISCARDED(Role.DESTINATION, true, "the restored state is discarded"),
  DESTINATION_STRANDED(
      Role.DESTINATION, false, "what was loaded is not run here; the failure says why");

  private final Role role;
  private final boolean terminal;
  private final String description;

  SessionState(Role role, boolean terminal, String description) {
    this.role = role;
    this.terminal = terminal;
    this.description = description;
  }

  public Role role() {
    return role;
  }

  /** Whether nothing follows: the device is free for another session. */
  public boolean terminal() {
    return terminal;
  }

  /** To be thrown where a session is told to be in this state and its role has none such. */
  IllegalStateException ofOtherRole() {
    return new IllegalStateException(this + " is a state of a " + role + ", and this is another");
  }

  /** A few words for people. */
  public String description() {
    return description;
  }
}
