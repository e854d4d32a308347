package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.List;

/** What can happen to a destination. */
public sealed interface DestinationEvent {

  /** Names every kind of event. */
  interface Handler<T> {
    T on(Command event);

    T on(Completion event);

    T on(Later event);

    T on(Stop event);

    T on(Recover event);

    T on(StreamStarted event);

    T on(StreamBroke event);

    T on(StreamComplete event);
  }

  <T> T dispatch(Handler<T> handler);

  /** What the operator asks for. Seen only between two pieces of work, never during one. */
  sealed interface Command extends DestinationEvent {
    /** Number under which the answer is awaited. */
    long command();

    /** Names every command. */
    interface Handler<T> {
      T on(Prepare command);

      T on(Activate command);

      T on(VerifyLoaded command);

      T on(RollBack command);

      T on(Cancel command);

      T on(GiveUp command);
    }

    <T> T handle(Command.Handler<T> handler);

    @Override
    default <T> T dispatch(DestinationEvent.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Prepare(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Activate(long command) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Looks at what is loaded and answers with what was found. */
  record VerifyLoaded(long command) implements Command {
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

  /** After Committed: what its workload was never told to take is given up for good. */
  record GiveUp(long command, String reason) implements Command {
    @Override
    public <T> T handle(Command.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The agent is about to end. */
  record Stop() implements DestinationEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The agent has come back and goes on from the journal. */
  record Recover() implements DestinationEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The end of a piece of work; always the very next event after it was given out. */
  sealed interface Completion extends DestinationEvent {
    @Override
    default <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Done() implements Completion {}

  record Failed(Failure failure) implements Completion {}

  /**
   * The device is open.
   *
   * @param state null where the device does not report it
   * @param continuity what is known of its time before
   */
  record Opened(DeviceDescription description, DeviceState state, Continuity continuity)
      implements Completion {
    Opened(DeviceDescription description, DeviceState state) {
      this(description, state, Continuity.UNKNOWN);
    }

    Opened(DeviceDescription description, DeviceState state, boolean kept) {
      this(description, state, kept ? Continuity.KEPT : Continuity.UNKNOWN);
    }

    /** Whether somebody else has held it all the time. */
    boolean kept() {
      return continuity == Continuity.KEPT;
    }

    /** Whether nobody held it, so that whose state is in it is not known. */
    boolean fresh() {
      return continuity == Continuity.FRESH;
    }
  }

  /**
   * The windows of the workload here are mapped.
   *
   * @param workload what it does now
   */
  record Mapped(List<WindowSpec> windows, WorkloadState workload) implements Completion {
    public Mapped {
      windows = List.copyOf(windows);
    }
  }

  /** The first connection was accepted. */
  record StreamStarted() implements DestinationEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** The stream broke before it was complete, or what it brought could not be taken in. */
  record StreamBroke(Failure failure) implements DestinationEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Everything has come and every digest was right; the stream waits for CONFIRM_LOADED or
   * RejectLoaded.
   *
   * @param pausedAtNanos monotonic time of the pause at the source, by this node's clock; 0 where
   *     no mark was heard
   */
  record StreamComplete(long deviceStateBytes, long memoryBytes, long pausedAtNanos)
      implements DestinationEvent {
    @Override
    public <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** What was awaited. One with another epoch than the state's is too late. */
  sealed interface Later extends DestinationEvent {
    long epoch();

    @Override
    default <T> T dispatch(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record TimerFired(long epoch) implements Later {}

  /** Time to report how much has come. */
  record Ticked(long epoch, long deviceStateBytes, long memoryBytes) implements Later {}
}
