package dev.vfio.migration.agent.machine;

import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceState;

/**
 * All that a destination's machine knows. Immutable: each method that names a change answers the
 * state after it.
 *
 * @param spec what the destination was asked to prepare for
 * @param position where it stands
 * @param device what is known of its device
 * @param handover how far the handover is
 * @param doubtedSinceNanos monotonic time of the first of the looks at what is loaded that found
 *     nothing out; 0 where the last one found everything as it should be
 * @param problems what went wrong
 * @param counters how much was taken in
 * @param recovered whether the session went on from the journal
 */
public record DestinationState(
    DestinationSpec spec,
    Position<DestinationStep> position,
    DeviceStatus device,
    Handover handover,
    long doubtedSinceNanos,
    Problems problems,
    Counters counters,
    boolean recovered) {

  /**
   * How far the handover is.
   *
   * @param loaded whether Loaded is journalled: only the decision leads out
   * @param activating whether Activating is journalled: the device never gives the state up again,
   *     unless it lost it and an administrator wants the source back
   * @param told whether the workload may have been told to take the device
   * @param streamWaits whether the stream waits for the answer whether everything is loaded
   * @param pausedAtNanos monotonic time of the pause at the source; 0 where not known
   */
  record Handover(
      boolean loaded, boolean activating, boolean told, boolean streamWaits, long pausedAtNanos) {
    Handover withLoaded() {
      return new Handover(true, activating, told, streamWaits, pausedAtNanos);
    }

    Handover withActivating() {
      return new Handover(loaded, true, told, streamWaits, pausedAtNanos);
    }

    Handover withGivenUp() {
      return new Handover(loaded, false, told, streamWaits, pausedAtNanos);
    }

    Handover withTold(boolean value) {
      return new Handover(loaded, activating, value, streamWaits, pausedAtNanos);
    }

    Handover withStreamWaits(boolean value) {
      return new Handover(loaded, activating, told, value, pausedAtNanos);
    }

    Handover pausedAt(long nanos) {
      return new Handover(loaded, activating, told, streamWaits, nanos);
    }
  }

  public static DestinationState initial(DestinationSpec spec) {
    return first(spec, DeviceStatus.UNKNOWN, false);
  }

  /** A destination whose agent came back: its device may have been touched. */
  static DestinationState recovered(DestinationSpec spec) {
    return first(spec, DeviceStatus.UNKNOWN.touched(true), true);
  }

  private static DestinationState first(
      DestinationSpec spec, DeviceStatus device, boolean recovered) {
    return new DestinationState(
        spec,
        new Position<>(SessionState.DESTINATION_LISTENING, MainStep.NEW, 0, 0),
        device,
        new Handover(false, false, false, false, 0),
        0,
        Problems.NONE,
        Counters.NONE,
        recovered);
  }

  public SessionSnapshot snapshot() {
    return new SessionSnapshot(
        spec.key(),
        spec.migrationName(),
        state(),
        spec.device(),
        device.state(),
        progress(),
        problems.reported(),
        recovered,
        problems.notReset() != null);
  }

  public SessionState state() {
    return position.state();
  }

  public DestinationStep step() {
    return position.step();
  }

  public long epoch() {
    return position.epoch();
  }

  long command() {
    return position.command();
  }

  Failure failure() {
    return problems.failure();
  }

  int tries() {
    return problems.tries();
  }

  Progress progress() {
    return counters.progress();
  }

  /** Whether the device lost what it had taken in after the handover was decided. */
  boolean lost() {
    return handover.activating() && failure() != null;
  }

  DestinationState at(SessionState newState, DestinationStep newStep) {
    return with(position.at(newState, newStep));
  }

  DestinationState at(DestinationStep newStep) {
    return at(state(), newStep);
  }

  DestinationState withCommand(long value) {
    return with(position.answering(value));
  }

  DestinationState withDevice(DeviceState value) {
    return with(device.in(value));
  }

  DestinationState deviceOpened(DeviceState value) {
    return with(device.opened(value, false));
  }

  DestinationState deviceClosed() {
    return with(device.closed());
  }

  DestinationState deviceTouched(boolean value) {
    return with(device.touched(value));
  }

  DestinationState withLoaded() {
    return with(handover.withLoaded());
  }

  DestinationState withActivating() {
    return with(handover.withActivating());
  }

  DestinationState withGivenUp() {
    return with(handover.withGivenUp());
  }

  DestinationState withTold(boolean value) {
    return with(handover.withTold(value));
  }

  DestinationState withStreamWaits(boolean value) {
    return with(handover.withStreamWaits(value));
  }

  DestinationState pausedAt(long nanos) {
    return with(handover.pausedAt(nanos));
  }

  DestinationState withFailure(Failure value) {
    return with(problems.withFailure(value));
  }

  DestinationState withNotReset(Failure value) {
    return with(problems.withNotReset(value));
  }

  DestinationState withObstacle(Failure value) {
    return with(problems.withObstacle(value));
  }

  DestinationState withTries(int value) {
    return with(problems.withTries(value));
  }

  DestinationState withProgress(Progress value) {
    return with(counters.with(value));
  }

  DestinationState doubtedSince(long nanos) {
    return new DestinationState(
        spec, position, device, handover, nanos, problems, counters, recovered);
  }

  private DestinationState with(Position<DestinationStep> value) {
    return new DestinationState(
        spec, value, device, handover, doubtedSinceNanos, problems, counters, recovered);
  }

  private DestinationState with(DeviceStatus value) {
    return new DestinationState(
        spec, position, value, handover, doubtedSinceNanos, problems, counters, recovered);
  }

  private DestinationState with(Handover value) {
    return new DestinationState(
        spec, position, device, value, doubtedSinceNanos, problems, counters, recovered);
  }

  private DestinationState with(Problems value) {
    return new DestinationState(
        spec, position, device, handover, doubtedSinceNanos, value, counters, recovered);
  }

  DestinationState with(Counters value) {
    return new DestinationState(
        spec, position, device, handover, doubtedSinceNanos, problems, value, recovered);
  }
}
