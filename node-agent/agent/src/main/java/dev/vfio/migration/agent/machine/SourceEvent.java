package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.workload.WorkloadState;

/** What can happen to a source. */
public sealed interface SourceEvent {

  /** Names every kind of event. */
  interface Handler<T> {
    T on(Command event);

    T on(Completion event);

    T on(Later event);

    T on(Stop event);

    T on(Recover event);
  }

  <T> T dispatch(Handler<T> handler);

  /** What the operator asks for. Seen only between two pieces of work, never during one. */
  sealed interface Command extends SourceEvent {
    /** Number under which the answer is awaited. */
    long command();

    /** Names every command. */
    interface Handler<T> {
      T on(Start command);

      T on(SwitchOver command);

      T on(Commit command);

      T on(RollBack command);

      T on(Cancel command);
    }

    <T> T handle(Command.Handler<T> handler);

    @Override
    default <T> T dispatch(SourceEvent.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Start(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record SwitchOver(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Commit(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record RollBack(long command, String reason) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Cancel(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The agent is about to end. */
  record Stop() implements SourceEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The agent has come back and goes on from the journal. */
  record Recover() implements SourceEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The end of a piece of work; always the very next event after it was given out. */
  sealed interface Completion extends SourceEvent {
    @Override
    default <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The work was done, and there is nothing more to say. */
  record Done() implements Completion {}

  /** The work was not done. */
  record Failed(Failure failure) implements Completion {}

  /**
   * The device is open.
   *
   * @param state null where the device does not report it
   * @param kept whether somebody else has held it all the time, so that it was not closed for good
   *     meanwhile, at which some drivers reset a device
   */
  record Opened(DeviceState state, boolean precopy, boolean kept) implements Completion {
    Opened(DeviceState state, boolean precopy) {
      this(state, precopy, false);
    }
  }

  /**
   * The device was reset.
   *
   * @param state that it says it is in now; null where it does not report it
   */
  record WasReset(DeviceState state) implements Completion {}

  /**
   * The device was not reset, because somebody else holds it.
   *
   * @param state that it was in when it was last looked at; null where it does not report it
   */
  record InUse(DeviceState state) implements Completion {}

  /**
   * The windows are mapped.
   *
   * @param bytes of all windows
   * @param workload what it does now
   */
  record Mapped(long bytes, WorkloadState workload) implements Completion {}

  record PendingRead(PendingBytes pending) implements Completion {}

  /**
   * @param dry the device has nothing now
   */
  record StateCopied(long bytes, boolean dry) implements Completion {}

  /**
   * @param pages newly marked by the device since the last look
   * @param bytes in those pages
   * @param bytesToSend of all windows, in this round
   * @param bytesPending of all windows, by what is known now, if the device stopped at once
   */
  record DirtyFound(long pages, long bytes, long bytesToSend, long bytesPending)
      implements Completion {}

  /**
   * @param bytes sent
   * @param remaining bytes of this round
   */
  record MemoryCopied(long bytes, long remaining) implements Completion {}

  /** What was awaited beside the work. One with another epoch than the state's is too late. */
  sealed interface Later extends SourceEvent {
    long epoch();

    @Override
    default <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Commands had their turn; go on. */
  record Continue(long epoch) implements Later {}

  record TimerFired(long epoch) implements Later {}

  record Connected(long epoch) implements Later {}

  record NotConnected(long epoch, Failure failure) implements Later {}

  /** The destination said that it holds everything. */
  record LoadedHeard(long epoch) implements Later {}

  record LoadedNotHeard(long epoch, Failure failure) implements Later {}
}
