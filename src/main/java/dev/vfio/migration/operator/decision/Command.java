package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Role;

/** What is to be done next. All are idempotent; doing one twice does nothing again. */
public sealed interface Command {

  /** Whose agent it goes to. */
  Role side();

  /** Ask the agent for its devices. */
  record Inspect(Role side) implements Command {}

  /** Claim the destination's device, move it to RESUME, listen. */
  record PrepareDestination() implements Command {
    @Override
    public Role side() {
      return Role.DESTINATION;
    }
  }

  /** Claim the source's device, connect, and copy if the mode is Live. */
  record StartSource() implements Command {
    @Override
    public Role side() {
      return Role.SOURCE;
    }
  }

  /** Pause the workload and send the rest. */
  record SwitchOver() implements Command {
    @Override
    public Role side() {
      return Role.SOURCE;
    }
  }

  /** Look, now, whether what was loaded is still there and can be taken. */
  record VerifyLoaded() implements Command {
    @Override
    public Role side() {
      return Role.DESTINATION;
    }
  }

  /** Committed: bring the destination to RUNNING. */
  record Activate() implements Command {
    @Override
    public Role side() {
      return Role.DESTINATION;
    }
  }

  /** Committed and active: let the source release its device. */
  record Commit() implements Command {
    @Override
    public Role side() {
      return Role.SOURCE;
    }
  }

  /** Rolled back for a failure. */
  record RollBack(Role side, String reason) implements Command {}

  /** Rolled back because it was cancelled. */
  record Cancel(Role side) implements Command {}

  /** Its time to live is over: delete the object. */
  record Delete() implements Command {
    @Override
    public Role side() {
      return Role.ROLE_UNSPECIFIED;
    }
  }
}
