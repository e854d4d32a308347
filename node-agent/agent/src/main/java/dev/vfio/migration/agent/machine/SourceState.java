package dev.vfio.migration.agent.machine;

import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;

/**
 * All that a source's machine knows. Immutable: each method that names a change answers the state
 * after it.
 *
 * @param spec what the source was asked to do
 * @param position where it stands
 * @param device what is known of its device
 * @param handover how far the handover is
 * @param problems what went wrong
 * @param counters how much was sent
 * @param round of copying
 * @param recovered whether the session went on from the journal
 */
public record SourceState(
    SourceSpec spec,
    Position<SourceStep> position,
    DeviceStatus device,
    Handover handover,
    Problems problems,
    Counters counters,
    SourceRound round,
    boolean recovered) {

  /** The handover's decision, as far as a source knows it. */
  enum Decision {
    UNKNOWN,
    COMMITTED,
    ROLLED_BACK,
    CANCELLED
  }

  /**
   * How far the handover is.
   *
   * @param decision as far as it is known here
   * @param endAllowed whether the end mark may have been sent: only the decision leads out
   * @param pauseAsked whether the workload may have been paused
   * @param pausedAtNanos when the pause was asked for, by the monotonic clock; meaningful where
   *     {@code pauseAsked} and the session was not recovered
   */
  record Handover(Decision decision, boolean endAllowed, boolean pauseAsked, long pausedAtNanos) {
    Handover decided(Decision value) {
      return new Handover(value, endAllowed, pauseAsked, pausedAtNanos);
    }

    Handover withEndAllowed() {
      return new Handover(decision, true, pauseAsked, pausedAtNanos);
    }

    Handover pausedAt(long nanos) {
      return new Handover(decision, endAllowed, true, nanos);
    }
  }

  public static SourceState initial(SourceSpec spec) {
    return first(spec, DeviceStatus.UNKNOWN, false);
  }

  /** A source whose agent came back: its device may have been touched. */
  static SourceState recovered(SourceSpec spec) {
    return first(spec, DeviceStatus.UNKNOWN.touched(true), true);
  }

  private static SourceState first(SourceSpec spec, DeviceStatus device, boolean recovered) {
    return new SourceState(
        spec,
        new Position<>(SessionState.SOURCE_STARTING, MainStep.NEW, 0, 0),
        device,
        new Handover(Decision.UNKNOWN, false, false, 0),
        Problems.NONE,
        Counters.NONE,
        SourceRound.first(0),
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

  public SourceStep step() {
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

  SourceState at(SessionState newState, SourceStep newStep) {
    return with(position.at(newState, newStep));
  }

  SourceState at(SourceStep newStep) {
    return at(state(), newStep);
  }

  SourceState withCommand(long value) {
    return with(position.answering(value));
  }

  SourceState withDevice(DeviceState value) {
    return with(device.in(value));
  }

  SourceState deviceOpened(SourceEvent.Opened opened) {
    return with(device.opened(opened.state(), opened.precopy()));
  }

  /** The device was opened again, and is shown as it was before. */
  SourceState deviceReopened() {
    return with(device.opened(device.state(), device.precopy()));
  }

  SourceState deviceClosed() {
    return with(device.closed());
  }

  SourceState deviceTouched() {
    return with(device.touched(true));
  }

  SourceState pausedAt(long nanos) {
    return with(handover.pausedAt(nanos));
  }

  SourceState withEndAllowed() {
    return with(handover.withEndAllowed());
  }

  SourceState decided(Decision value) {
    return with(handover.decided(value));
  }

  SourceState withFailure(Failure value) {
    return with(problems.withFailure(value));
  }

  SourceState withNotReset(Failure value) {
    return with(problems.withNotReset(value));
  }

  SourceState withObstacle(Failure value) {
    return with(problems.withObstacle(value));
  }

  SourceState withTries(int value) {
    return with(problems.withTries(value));
  }

  SourceState withProgress(Progress value) {
    return with(counters.with(value));
  }

  private SourceState with(Position<SourceStep> value) {
    return new SourceState(spec, value, device, handover, problems, counters, round, recovered);
  }

  private SourceState with(DeviceStatus value) {
    return new SourceState(spec, position, value, handover, problems, counters, round, recovered);
  }

  private SourceState with(Handover value) {
    return new SourceState(spec, position, device, value, problems, counters, round, recovered);
  }

  private SourceState with(Problems value) {
    return new SourceState(spec, position, device, handover, value, counters, round, recovered);
  }

  SourceState with(Counters value) {
    return new SourceState(spec, position, device, handover, problems, value, round, recovered);
  }

  SourceState with(SourceRound value) {
    return new SourceState(spec, position, device, handover, problems, counters, value, recovered);
  }
}
