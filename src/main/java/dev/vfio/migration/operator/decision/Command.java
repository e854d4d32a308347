package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Role;

/**
 * What is to be done next. All commands are idempotent; doing one twice does nothing again. Who
 * carries commands out implements {@link Handler} and {@link AgentHandler}, which have a method for
 * every command: a command without an implementation does not compile.
 */
public sealed interface Command {

  /** Whose agent it goes to; ROLE_UNSPECIFIED where it goes to none. */
  Role side();

  /** Has {@code handler} carry this command out. */
  <R> R handle(Handler<R> handler);

  /** Has a method for each place where commands go. */
  interface Handler<R> {
    R agent(AgentCommand command);

    R delete(Delete command);
  }

  /** A command that an agent carries out. */
  sealed interface AgentCommand extends Command {

    /** Has {@code handler} carry this command out. */
    <R> R handleByAgent(AgentHandler<R> handler);

    /** Whether no workload stands still until it is carried out. */
    default boolean canWait() {
      return false;
    }

    /** Whether it changes nothing, so that it is given again whenever its answer is needed. */
    default boolean isQuestion() {
      return false;
    }

    @Override
    default <R> R handle(Handler<R> handler) {
      return handler.agent(this);
    }
  }

  /** A command for the source's agent. */
  sealed interface ToSource extends AgentCommand {
    @Override
    default Role side() {
      return Role.SOURCE;
    }
  }

  /** A command for the destination's agent. */
  sealed interface ToDestination extends AgentCommand {
    @Override
    default Role side() {
      return Role.DESTINATION;
    }
  }

  /** Has a method for every command that an agent carries out. */
  interface AgentHandler<R> {
    R inspect(Inspect command);

    R prepareDestination(PrepareDestination command);

    R startSource(StartSource command);

    R switchOver(SwitchOver command);

    R verifyLoaded(VerifyLoaded command);

    R activate(Activate command);

    R commit(Commit command);

    R giveUp(GiveUp command);

    R rollBack(RollBack command);

    R cancel(Cancel command);
  }

  /** Ask the agent for its device. */
  record Inspect(Role side) implements AgentCommand {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.inspect(this);
    }

    @Override
    public boolean canWait() {
      return true;
    }

    @Override
    public boolean isQuestion() {
      return true;
    }
  }

  /** Claim the destination's device, move it to RESUME, listen. */
  record PrepareDestination() implements ToDestination {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.prepareDestination(this);
    }

    @Override
    public boolean canWait() {
      return true;
    }
  }

  /** Claim the source's device, connect, and copy if the mode is Live. */
  record StartSource() implements ToSource {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.startSource(this);
    }

    @Override
    public boolean canWait() {
      return true;
    }
  }

  /** Pause the workload and send the rest. */
  record SwitchOver() implements ToSource {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.switchOver(this);
    }
  }

  /** Check, now, that the device still holds what was loaded and that the workload can take it. */
  record VerifyLoaded() implements ToDestination {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.verifyLoaded(this);
    }

    @Override
    public boolean isQuestion() {
      return true;
    }
  }

  /** Committed: bring the destination to RUNNING. */
  record Activate() implements ToDestination {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.activate(this);
    }
  }

  /** Committed and active: let the source release its device. */
  record Commit() implements ToSource {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.commit(this);
    }
  }

  /** Committed, and the source is to be taken back: give the destination up for good. */
  record GiveUp(String reason) implements ToDestination {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.giveUp(this);
    }
  }

  /** Rolled back for a failure. */
  record RollBack(Role side, String reason) implements AgentCommand {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.rollBack(this);
    }
  }

  /** Rolled back because it was cancelled. */
  record Cancel(Role side) implements AgentCommand {
    @Override
    public <R> R handleByAgent(AgentHandler<R> handler) {
      return handler.cancel(this);
    }
  }

  /** Its time to live is over: delete the object. */
  record Delete() implements Command {
    @Override
    public Role side() {
      return Role.ROLE_UNSPECIFIED;
    }

    @Override
    public <R> R handle(Handler<R> handler) {
      return handler.delete(this);
    }
  }
}
