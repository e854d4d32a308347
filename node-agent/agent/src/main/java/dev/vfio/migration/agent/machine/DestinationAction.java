package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.time.Duration;

/** What a destination wants done. */
public sealed interface DestinationAction {

  /** Its end is reported by the very next event, a {@link DestinationEvent.Completion}. */
  sealed interface Work extends DestinationAction {

    /** Has a method for every kind of work, so that no kind can be forgotten. */
    interface Handler<T> {
      T on(Journal work);

      T on(SimpleWork work);

      T on(Transition work);
    }

    <T> T handle(Handler<T> handler);
  }

  /** Something that is done at once; what comes of it later is an event of its own. */
  sealed interface Immediate extends DestinationAction {

    /** Has a method for every kind of action, so that no kind can be forgotten. */
    interface Handler {
      void on(SimpleAction action);

      void on(RejectLoaded action);

      void on(StartTimer action);

      void on(StartTick action);

      void on(Reply action);
    }

    void handle(Handler handler);
  }

  /** Work without values. */
  enum SimpleWork implements Work {
    /** Opens the device, and closes it first where it was open. Changes nothing about it. */
    OPEN_DEVICE,
    /** Finds, or makes, the windows of the waiting workload and maps them. */
    MAP_WINDOWS,
    /** Resets the device; done with Opened, which says in what state it is now. */
    RESET,
    /**
     * Resets a device that is free, before it takes anything in: whoever had it before may have
     * left something in it. Nothing where somebody else holds it. Done with Opened, as {@link
     * #RESET}.
     */
    RESET_FREE,
    /** Takes the streams of the source, and what they bring, from now on. */
    AWAIT_STREAMS,
    /**
     * Gives the loaded device to the workload that waits, which does not use it yet: from then on
     * what is loaded outlives this agent.
     */
    TRANSFER_TO_WORKLOAD,
    /**
     * Looks whether the device still holds what was loaded, and whether the workload is there that
     * is to take it. Changes nothing.
     */
    LOOK_AT_LOADED,
    /** Takes the device back from a workload that was given it; does nothing where none was. */
    TAKE_BACK,
    LET_WORKLOAD_TAKE,
    /** Looks whether the device that the workload has taken says that it is RUNNING. */
    LOOK_AT_RUNNING;

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

  /** Actions without values. */
  enum SimpleAction implements Immediate {
    /** Nothing of the stream reaches device or windows from here on. */
    CLOSE_STREAMS,
    /** Answers to the source that everything is loaded and held. */
    CONFIRM_LOADED,
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

  record RejectLoaded(Failure failure) implements Immediate {
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

  /** As a timer; reported by Ticked with what has come by then. */
  record StartTick(long epoch, Duration delay) implements Immediate {
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
