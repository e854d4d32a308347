package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.List;

/** What can happen to a destination. */
public sealed interface DestinationEvent {

  /** What the operator asks for. Seen only between two pieces of work, never during one. */
  sealed interface Command extends DestinationEvent {
    /** Number under which the answer is awaited. */
    long command();
  }

  record Prepare(long command) implements Command {}

  record Activate(long command) implements Command {}

  /** Looks at what is loaded and answers with what was found. */
  record VerifyLoaded(long command) implements Command {}

  record RollBack(long command, String reason) implements Command {}

  record Cancel(long command) implements Command {}

  /** The agent is about to end. */
  record Stop() implements DestinationEvent {}

  /** The agent has come back and goes on from the journal. */
  record Recover() implements DestinationEvent {}

  /** The end of a piece of work; always the very next event after it was given out. */
  sealed interface Completion extends DestinationEvent {}

  record Done() implements Completion {}

  record Failed(Failure failure) implements Completion {}

  /**
   * The device is open.
   *
   * @param state null where the device does not tell
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
  record StreamStarted() implements DestinationEvent {}

  /** The stream broke before it was complete, or what it brought could not be taken in. */
  record StreamBroke(Failure failure) implements DestinationEvent {}

  /**
   * Everything has come and every digest was right; the stream waits for ConfirmLoaded or
   * RejectLoaded.
   *
   * @param pausedAtNanos monotonic time of the pause at the source, by this node's clock; 0 where
   *     no mark was heard
   */
  record StreamComplete(long deviceStateBytes, long memoryBytes, long pausedAtNanos)
      implements DestinationEvent {}

  /** What was awaited. One with another epoch than the state's is too late. */
  sealed interface Later extends DestinationEvent {
    long epoch();
  }

  record TimerFired(long epoch) implements Later {}

  /** Time to report how much has come. */
  record Ticked(long epoch, long deviceStateBytes, long memoryBytes) implements Later {}
}
