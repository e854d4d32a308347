package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.time.Duration;

/** What a destination wants done. */
public sealed interface DestinationAction {

  /** Its end is reported by the very next event, a {@link DestinationEvent.Completion}. */
  sealed interface Work extends DestinationAction {}

  record Journal(SessionRecord record) implements Work {}

  /** Opens the device, and closes it first where it was open. Changes nothing about it. */
  record OpenDevice() implements Work {}

  /** Finds, or makes, the windows of the waiting workload and maps them. */
  record MapWindows() implements Work {}

  record Transition(DeviceState target) implements Work {}

  /** Resets the device; done with Opened, which says in what state it is now. */
  record Reset() implements Work {}

  /**
   * Resets a device that is free, before it takes anything in: whoever had it before may have left
   * something in it. Nothing where somebody else holds it. Done with Opened, as {@link Reset}.
   */
  record ResetFree() implements Work {}

  /** Takes the streams of the source, and what they bring, from now on. */
  record AwaitStreams() implements Work {}

  /**
   * Gives the loaded device to the workload that waits, which does not use it yet: from then on
   * what is loaded outlives this agent.
   */
  record HandToWorkload() implements Work {}

  /**
   * Looks whether the device still holds what was loaded, and whether the workload is there that is
   * to take it. Changes nothing.
   */
  record LookAtLoaded() implements Work {}

  /** A workload that was given the device lets go of it; nothing where none was. */
  record TakeBack() implements Work {}

  record TakeWorkload() implements Work {}

  /** Looks whether the device that the workload has taken says that it is RUNNING. */
  record LookAtRunning() implements Work {}

  /** Nothing of the stream reaches device or windows from here on. */
  record CloseStreams() implements DestinationAction {}

  /** The source may be told that everything is loaded and held. */
  record ConfirmLoaded() implements DestinationAction {}

  record RejectLoaded(Failure failure) implements DestinationAction {}

  record StartTimer(long epoch, Duration delay) implements DestinationAction {}

  /** As a timer; reported by Ticked with what has come by then. */
  record StartTick(long epoch, Duration delay) implements DestinationAction {}

  /**
   * Lets go of device, windows and workload without changing anything about them; of the journal,
   * too, once the session is terminal.
   */
  record LetGo() implements DestinationAction {}

  /**
   * Answers a command.
   *
   * @param refusal null where it was accepted
   */
  record Reply(long command, Failure refusal) implements DestinationAction {}

  /** The session never was: nothing was touched and nothing is to be remembered. */
  record Forget() implements DestinationAction {}
}
