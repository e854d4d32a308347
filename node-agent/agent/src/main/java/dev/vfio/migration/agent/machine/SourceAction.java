package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.time.Duration;

/** What a source wants done. */
public sealed interface SourceAction {

  /** Something whose end is reported by the very next event, a {@link SourceEvent.Completion}. */
  sealed interface Work extends SourceAction {}

  record Journal(SessionRecord record) implements Work {}

  /** Opens the device, and closes it first where it was open. Changes nothing about it. */
  record OpenDevice() implements Work {}

  /** Asks the workload what it does, and for its windows, and maps them. */
  record MapWindows() implements Work {}

  record Transition(DeviceState target) implements Work {}

  record ReadPending(long thresholdBytes) implements Work {}

  /**
   * Reads the device and sends, until it has nothing now, or that much is sent, or we are wanted.
   */
  record CopyState(long maxBytes) implements Work {}

  /**
   * Marks the pages to be sent: all the first time, later those that the device says are dirty.
   *
   * @param last the device stands still: where it cannot tell, everything is marked
   */
  record CollectDirty(boolean last) implements Work {}

  /** Sends marked pages, until none is left, or that much is sent, or we are wanted. */
  record CopyMemory(long maxBytes) implements Work {}

  /**
   * Looks whether the device is still where it handed out the last of its state, and whether so
   * much was handed to the stream as was read from device and windows.
   */
  record LookAtSaved(long deviceStateBytes, long memoryBytes) implements Work {}

  record PauseWorkload() implements Work {}

  record ResumeWorkload() implements Work {}

  record ReleaseWorkload() implements Work {}

  /**
   * Resets the device that its workload has let go of, unless somebody else holds it; done with
   * {@link SourceEvent.WasReset} or {@link SourceEvent.InUse}.
   */
  record ResetReleased() implements Work {}

  /** Sends the mark that the workload stands still since that moment, and lifts the limit. */
  record SendPaused(long pausedAtNanos) implements Work {}

  record SendEnd() implements Work {}

  /** Connects beside the work; reported by Connected or NotConnected with that epoch. */
  record Connect(long epoch) implements SourceAction {}

  /** Listens beside the work; reported by LoadedHeard or LoadedNotHeard with that epoch. */
  record AwaitLoaded(long epoch, Duration patience) implements SourceAction {}

  /** Gives waiting commands their turn, then Continue. */
  record Breathe(long epoch) implements SourceAction {}

  record StartTimer(long epoch, Duration delay) implements SourceAction {}

  /** Closes the stream, also one that is still being connected. */
  record CloseStream() implements SourceAction {}

  /**
   * Lets go of device, windows and workload without changing anything about them; of the journal,
   * too, once the session is terminal.
   */
  record LetGo() implements SourceAction {}

  /**
   * Answers a command.
   *
   * @param refusal null where it was accepted
   */
  record Reply(long command, Failure refusal) implements SourceAction {}

  /** The session never was: nothing was touched and nothing is to be remembered. */
  record Forget() implements SourceAction {}
}
