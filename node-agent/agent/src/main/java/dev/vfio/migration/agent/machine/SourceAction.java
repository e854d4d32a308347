package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.time.Duration;

/** What a source wants done. */
public sealed interface SourceAction {

  /** Something whose end is reported by the very next event, a {@link SourceEvent.Completion}. */
  sealed interface Work extends SourceAction {

    /** Names every kind of work: one that it does not name does not compile. */
    interface Handler<T> {
      T on(Journal work);

      T on(OpenDevice work);

      T on(MapWindows work);

      T on(Transition work);

      T on(ReadPending work);

      T on(CopyState work);

      T on(CollectDirty work);

      T on(CopyMemory work);

      T on(LookAtSaved work);

      T on(PauseWorkload work);

      T on(ResumeWorkload work);

      T on(ReleaseWorkload work);

      T on(ResetReleased work);

      T on(SendPaused work);

      T on(SendEnd work);
    }

    <T> T handle(Handler<T> handler);
  }

  /** Something that is done at once; what comes of it later is an event of its own. */
  sealed interface Immediate extends SourceAction {

    /** Names every such action: one that it does not name does not compile. */
    interface Handler {
      void on(Connect action);

      void on(AwaitLoaded action);

      void on(YieldToCommands action);

      void on(StartTimer action);

      void on(CloseStream action);

      void on(CloseDevice action);

      void on(Reply action);

      void on(Forget action);
    }

    void handle(Handler handler);
  }

  record Journal(SessionRecord record) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Opens the device, and closes it first where it was open. Changes nothing about it. */
  record OpenDevice() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Asks the workload what it does, and for its windows, and maps them. */
  record MapWindows() implements Work {
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
   * Reads the device and sends, until it has nothing now, or that much is sent, or we are wanted.
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

  /** Sends marked pages, until none is left, or that much is sent, or we are wanted. */
  record CopyMemory(long maxBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Looks whether the device is still where it handed out the last of its state, and whether so
   * much was handed to the stream as was read from device and windows.
   */
  record LookAtSaved(long deviceStateBytes, long memoryBytes) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record PauseWorkload() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record ResumeWorkload() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record ReleaseWorkload() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Resets the device that its workload has released, unless somebody else holds it; done with
   * {@link SourceEvent.WasReset} or {@link SourceEvent.InUse}.
   */
  record ResetReleased() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Sends the mark that the workload stands still since that moment, and lifts the limit. */
  record SendPaused(long pausedAtNanos) implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
    }
  }

  record SendEnd() implements Work {
    @Override
    public <T> T handle(Handler<T> handler) {
      return handler.on(this);
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

  /** Gives waiting commands their turn, then Continue. */
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

  /** Closes the stream, also one that is still being connected. */
  record CloseStream() implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }

  /**
   * Closes the device, the windows and the connection to the workload, and changes nothing about
   * them. Closes the journal, too, once the session is terminal.
   */
  record CloseDevice() implements Immediate {
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

  /** The session never was: nothing was touched and nothing is to be remembered. */
  record Forget() implements Immediate {
    @Override
    public void handle(Handler handler) {
      handler.on(this);
    }
  }
}
