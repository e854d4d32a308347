package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.time.Duration;

/** What a source wants done. */
public sealed interface SourceAction {

  /** Something whose end is reported by the very next event, a {@link SourceEvent.Completion}. */
  sealed interface Work extends SourceAction {

    /** Has a method for every kind of work, so that no kind can be forgotten. */
    interface Handler<T> {
      T on(Journal work);

      T on(SimpleWork work);

      T on(Transition work);

      T on(ReadPending work);

      T on(CopyState work);

      T on(CollectDirty work);

      T on(CopyMemory work);

      T on(LookAtSaved work);

      T on(SendPaused work);
    }

    <T> T handle(Handler<T> handler);
  }

  /** Something that is done at once; what comes of it later is an event of its own. */
  sealed interface Immediate extends SourceAction {

    /** Has a method for every kind of action, so that no kind can be forgotten. */
    interface Handler {
      void on(Connect action);

      void on(AwaitLoaded action);

      void on(YieldToCommands action);

      void on(StartTimer action);

      void on(SimpleAction action);

      void on(Reply action);
    }

    void handle(Handler handler);
  }

  /** Work without values. */
  enum SimpleWork implements Work {
    /** Opens the device, and closes it first where it was open. Changes nothing about it. */
    OPEN_DEVICE,
    /** Asks the workload what it does, and for its windows, and maps them. */
    MAP_WINDOWS,
    PAUSE_WORKLOAD,
    RESUME_WORKLOAD,
    RELEASE_WORKLOAD,
    /**
     * Resets the device that its workload has released, unless somebody else holds it; done with
     * {@link SourceEvent.WasReset} or {@link SourceEvent.InUse}.
     */
    RESET_RELEASED,
    SEND_END;

    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Journal(SessionRecord record) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record Transition(DeviceState target) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record ReadPending(long thresholdBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Reads device state and sends it, until the device has nothing now, {@code maxBytes} are sent,
   * or another event waits for its turn.
   */
  record CopyState(long maxBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Marks the pages to be sent: all the first time, later those that the device says are dirty.
   *
   * @param last the device stands still: where the device cannot report dirty pages, all are marked
   */
  record CollectDirty(boolean last) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Sends marked pages, until none is left, {@code maxBytes} are sent, or another event waits for
   * its turn.
   */
  record CopyMemory(long maxBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Looks whether the device is still in the state in which it handed out its last bytes, and
   * whether as much was handed to the stream as was read from device and windows.
   */
  record LookAtSaved(long deviceStateBytes, long memoryBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Sends the mark that the workload has stood still since that moment, and lifts the bandwidth
   * limit.
   */
  record SendPaused(long pausedAtNanos) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Actions without values. */
  enum SimpleAction implements Immediate {
    /** Closes the stream, also one that is still being connected. */
    CLOSE_STREAM,
    /**
     * Closes the device, the windows and the connection to the workload, and changes nothing about
     * them. Closes the journal, too, once the session is terminal.
     */
    CLOSE_DEVICE,
    /** The session never was: nothing was touched and nothing is to be remembered. */
    FORGET;

    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  /** Connects beside the work; reported by Connected or NotConnected with that epoch. */
  record Connect(long epoch) implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  /** Listens beside the work; reported by LoadedHeard or LoadedNotHeard with that epoch. */
  record AwaitLoaded(long epoch, Duration timeout) implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  /** Gives waiting commands their turn; reported by Continue with that epoch. */
  record YieldToCommands(long epoch) implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  record StartTimer(long epoch, Duration delay) implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  /**
   * Answers a command.
   *
   * @param refusal null where it was accepted
   */
  record Reply(long command, Failure refusal) implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }
}
