package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;

/**
 * All that a destination's machine knows.
 *
 * @param spec what it was asked to prepare for
 * @param state where it stands
 * @param step the work that is out, or what is awaited
 * @param epoch rises with each wait; later events of older epochs are void
 * @param command the command that awaits its answer, 0 for none
 * @param deviceState last known, null where not known
 * @param deviceOpen whether the device is open
 * @param touched whether the device may have been moved from where it was
 * @param loaded whether Loaded is journalled: only the decision leads out
 * @param activating whether Activating is journalled: the device never gives the state up again
 * @param streamWaits whether the stream waits to be told whether everything is loaded
 * @param pausedAtNanos monotonic time of the pause at the source; 0 where not known
 * @param doubtedSinceNanos monotonic time of the first of the looks at what is loaded that found
 *     nothing out; 0 where the last one found everything as it should be
 * @param failure why the migration does not go on, null where nothing went wrong
 * @param notReset why the device could not be reset, null where nothing of that kind happened
 * @param obstacle what is in the way of ending it, null where nothing is; watchers see it first
 * @param tries of what is being retried
 * @param rate of taking in
 * @param progress for watchers
 * @param recovered whether it went on from the journal
 */
public record DestinationState(
    DestinationSpec spec,
    SessionState state,
    DestinationStep step,
    long epoch,
    long command,
    DeviceState deviceState,
    boolean deviceOpen,
    boolean touched,
    boolean loaded,
    boolean activating,
    boolean streamWaits,
    long pausedAtNanos,
    long doubtedSinceNanos,
    Failure failure,
    Failure notReset,
    Failure obstacle,
    int tries,
    RateWindow rate,
    Progress progress,
    boolean recovered) {

  public static DestinationState initial(DestinationSpec spec) {
    return new DestinationState(
        spec,
        SessionState.DESTINATION_LISTENING,
        DestinationStep.NEW,
        0,
        0,
        null,
        false,
        false,
        false,
        false,
        false,
        0,
        0,
        null,
        null,
        null,
        0,
        new RateWindow(0, 0, 0),
        Progress.NONE,
        false);
  }

  public SessionSnapshot snapshot() {
    return new SessionSnapshot(
        spec.key(),
        spec.migrationName(),
        state,
        spec.device(),
        deviceState,
        progress,
        obstacle != null ? obstacle : failure,
        recovered,
        notReset != null);
  }

  /** Whether the device lost what it had taken in after the handover was decided. */
  boolean lost() {
    return activating && failure != null;
  }

  Change but() {
    return new Change(this);
  }

  /** The next state in the making; used within one step of the machine only. */
  static final class Change {
    private final DestinationSpec spec;
    private SessionState state;
    private DestinationStep step;
    private long epoch;
    private long command;
    private DeviceState deviceState;
    private boolean deviceOpen;
    private boolean touched;
    private boolean loaded;
    private boolean activating;
    private boolean streamWaits;
    private long pausedAtNanos;
    private long doubtedSinceNanos;
    private Failure failure;
    private Failure notReset;
    private Failure obstacle;
    private int tries;
    private RateWindow rate;
    private Progress progress;
    private boolean recovered;

    private Change(DestinationState from) {
      spec = from.spec;
      state = from.state;
      step = from.step;
      epoch = from.epoch;
      command = from.command;
      deviceState = from.deviceState;
      deviceOpen = from.deviceOpen;
      touched = from.touched;
      loaded = from.loaded;
      activating = from.activating;
      streamWaits = from.streamWaits;
      pausedAtNanos = from.pausedAtNanos;
      doubtedSinceNanos = from.doubtedSinceNanos;
      failure = from.failure;
      notReset = from.notReset;
      obstacle = from.obstacle;
      tries = from.tries;
      rate = from.rate;
      progress = from.progress;
      recovered = from.recovered;
    }

    Change at(SessionState newState, DestinationStep newStep) {
      state = newState;
      step = newStep;
      epoch++;
      return this;
    }

    Change at(DestinationStep newStep) {
      return at(state, newStep);
    }

    Change command(long value) {
      command = value;
      return this;
    }

    Change device(DeviceState value) {
      deviceState = value;
      return this;
    }

    Change opened(DeviceState value) {
      deviceOpen = true;
      deviceState = value;
      return this;
    }

    Change deviceClosed() {
      deviceOpen = false;
      return this;
    }

    Change touched(boolean value) {
      touched = value;
      return this;
    }

    Change loaded() {
      loaded = true;
      return this;
    }

    Change activating() {
      activating = true;
      return this;
    }

    Change streamWaits(boolean value) {
      streamWaits = value;
      return this;
    }

    Change pausedAt(long nanos) {
      pausedAtNanos = nanos;
      return this;
    }

    Change doubtedSince(long nanos) {
      doubtedSinceNanos = nanos;
      return this;
    }

    Change failure(Failure value) {
      failure = value;
      return this;
    }

    Change notReset(Failure value) {
      notReset = value;
      return this;
    }

    Change obstacle(Failure value) {
      obstacle = value;
      return this;
    }

    Change tries(int value) {
      tries = value;
      return this;
    }

    Change rate(RateWindow value) {
      rate = value;
      return this;
    }

    Change progress(Progress value) {
      progress = value;
      return this;
    }

    Change recovered() {
      recovered = true;
      return this;
    }

    DestinationState done() {
      return new DestinationState(
          spec,
          state,
          step,
          epoch,
          command,
          deviceState,
          deviceOpen,
          touched,
          loaded,
          activating,
          streamWaits,
          pausedAtNanos,
          doubtedSinceNanos,
          failure,
          notReset,
          obstacle,
          tries,
          rate,
          progress,
          recovered);
    }
  }
}
