package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;

/**
 * All that a source's machine knows.
 *
 * @param spec what it was asked to do
 * @param state where it stands
 * @param step the work that is out, or what is awaited
 * @param epoch rises with each wait; later events of older epochs are void
 * @param command the command that awaits its answer, 0 for none
 * @param deviceState last known, null where not known
 * @param deviceOpen whether the device is open
 * @param precopy whether the device can be read while it runs
 * @param touched whether the device may have been moved from where it was
 * @param pauseAsked whether the workload may have been paused
 * @param endAllowed whether the end mark may have been sent: only the decision leads out
 * @param decision as far as it is known here
 * @param pausedAtNanos when the pause was asked for, by the monotonic clock; meaningful where
 *     {@code pauseAsked} and not {@code recovered}
 * @param failure why the migration does not go on, null where nothing went wrong
 * @param notReset why the device was released after Committed without the reset that it needs, null
 *     where it was reset or that is not due yet
 * @param obstacle what is in the way of ending it, null where nothing is; watchers see it first
 * @param round of copying
 * @param tries of what is being retried
 * @param rate of sending
 * @param progress for watchers
 * @param recovered whether it went on from the journal
 */
public record SourceState(
    SourceSpec spec,
    SessionState state,
    SourceStep step,
    long epoch,
    long command,
    DeviceState deviceState,
    boolean deviceOpen,
    boolean precopy,
    boolean touched,
    boolean pauseAsked,
    boolean endAllowed,
    Decision decision,
    long pausedAtNanos,
    Failure failure,
    Failure notReset,
    Failure obstacle,
    Round round,
    int tries,
    RateWindow rate,
    Progress progress,
    boolean recovered) {

  /** The handover's decision, as far as a source knows it. */
  enum Decision {
    UNKNOWN,
    COMMITTED,
    ROLLED_BACK,
    CANCELLED
  }

  /**
   * One round of copying.
   *
   * @param number from 0
   * @param startedAt monotonic nanoseconds
   * @param pendingAt when pending bytes were last read
   * @param pendingBefore their sum then
   * @param sinceLastNanos time between the last two such reads, 0 where there was one only
   * @param stateDirtied device state that was made dirty again between them, bytes
   * @param stateBytes device state sent since the last read
   * @param dry whether the device had nothing more when it was read last in this round
   * @param memoryFound window content to be sent that the last look at dirty pages found, bytes
   * @param memoryBytes window content sent in this round
   * @param restNanos the last idle rest, for the next to be longer
   */
  record Round(
      int number,
      long startedAt,
      long pendingAt,
      long pendingBefore,
      long sinceLastNanos,
      long stateDirtied,
      long stateBytes,
      boolean dry,
      long memoryFound,
      long memoryBytes,
      long restNanos) {
    static final Round NONE = first(0);

    static Round first(long now) {
      return new Round(0, now, now, 0, 0, 0, 0, false, 0, 0, 0);
    }

    Round pendingRead(PendingBytes pending, long now) {
      boolean compares = number > 0;
      long left = Math.max(0, pendingBefore - stateBytes);
      return new Round(
          number,
          startedAt,
          now,
          pending.total(),
          compares ? now - pendingAt : 0,
          compares ? Math.max(0, pending.total() - left) : 0,
          0,
          false,
          memoryFound,
          0,
          restNanos);
    }

    Round moved(long moreState, long moreMemory) {
      return new Round(
          number,
          startedAt,
          pendingAt,
          pendingBefore,
          sinceLastNanos,
          stateDirtied,
          stateBytes + moreState,
          dry,
          memoryFound,
          memoryBytes + moreMemory,
          restNanos);
    }

    /** The device was read to the end of what it hands out now, or of this round. */
    Round looked(boolean isDry) {
      return new Round(
          number,
          startedAt,
          pendingAt,
          pendingBefore,
          sinceLastNanos,
          stateDirtied,
          stateBytes,
          isDry,
          memoryFound,
          memoryBytes,
          restNanos);
    }

    Round memoryFound(long bytes) {
      return new Round(
          number,
          startedAt,
          pendingAt,
          pendingBefore,
          sinceLastNanos,
          stateDirtied,
          stateBytes,
          dry,
          bytes,
          memoryBytes,
          restNanos);
    }

    /** The round after this one; the counts go on until the pending bytes are read. */
    Round next(long now) {
      return new Round(
          number + 1,
          now,
          pendingAt,
          pendingBefore,
          sinceLastNanos,
          stateDirtied,
          stateBytes,
          dry,
          memoryFound,
          memoryBytes,
          restNanos);
    }

    Round resting(long nanos) {
      return new Round(
          number,
          startedAt,
          pendingAt,
          pendingBefore,
          sinceLastNanos,
          stateDirtied,
          stateBytes,
          dry,
          memoryFound,
          memoryBytes,
          nanos);
    }
  }

  public static SourceState initial(SourceSpec spec) {
    return new SourceState(
        spec,
        SessionState.SOURCE_STARTING,
        SourceStep.NEW,
        0,
        0,
        null,
        false,
        false,
        false,
        false,
        false,
        Decision.UNKNOWN,
        0,
        null,
        null,
        null,
        Round.NONE,
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

  Change but() {
    return new Change(this);
  }

  /** The next state in the making; used within one step of the machine only. */
  static final class Change {
    private final SourceSpec spec;
    private SessionState state;
    private SourceStep step;
    private long epoch;
    private long command;
    private DeviceState deviceState;
    private boolean deviceOpen;
    private boolean precopy;
    private boolean touched;
    private boolean pauseAsked;
    private boolean endAllowed;
    private Decision decision;
    private long pausedAtNanos;
    private Failure failure;
    private Failure notReset;
    private Failure obstacle;
    private Round round;
    private int tries;
    private RateWindow rate;
    private Progress progress;
    private boolean recovered;

    private Change(SourceState from) {
      spec = from.spec;
      state = from.state;
      step = from.step;
      epoch = from.epoch;
      command = from.command;
      deviceState = from.deviceState;
      deviceOpen = from.deviceOpen;
      precopy = from.precopy;
      touched = from.touched;
      pauseAsked = from.pauseAsked;
      endAllowed = from.endAllowed;
      decision = from.decision;
      pausedAtNanos = from.pausedAtNanos;
      failure = from.failure;
      notReset = from.notReset;
      obstacle = from.obstacle;
      round = from.round;
      tries = from.tries;
      rate = from.rate;
      progress = from.progress;
      recovered = from.recovered;
    }

    Change at(SessionState newState, SourceStep newStep) {
      state = newState;
      step = newStep;
      epoch++;
      return this;
    }

    Change at(SourceStep newStep) {
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

    Change opened(DeviceState value, boolean canPrecopy) {
      deviceOpen = true;
      deviceState = value;
      precopy = canPrecopy;
      return this;
    }

    Change deviceClosed() {
      deviceOpen = false;
      return this;
    }

    Change touched() {
      touched = true;
      return this;
    }

    Change pauseAsked(long atNanos) {
      pauseAsked = true;
      pausedAtNanos = atNanos;
      return this;
    }

    Change endAllowed() {
      endAllowed = true;
      return this;
    }

    Change decision(Decision value) {
      decision = value;
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

    Change round(Round value) {
      round = value;
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

    SourceState done() {
      return new SourceState(
          spec,
          state,
          step,
          epoch,
          command,
          deviceState,
          deviceOpen,
          precopy,
          touched,
          pauseAsked,
          endAllowed,
          decision,
          pausedAtNanos,
          failure,
          notReset,
          obstacle,
          round,
          tries,
          rate,
          progress,
          recovered);
    }
  }
}
