package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LISTENING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_RECEIVING;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.List;

/**
 * The destination of a migration, from its preparation to the decision. A pure function: it knows
 * no thread, socket, disk or clock.
 *
 * <pre>
 *  Prepare
 *    | opens and compares device and windows; refuses before anything is touched
 *    | [Prepared]
 *  LISTENING ---- reset where it can be, RESUME, awaits the streams, but not for ever
 *    | first connection
 *  RECEIVING ---- device state and windows arrive
 *    | complete: RESUME_COMPLETED, given to the waiting workload
 *    | [Loaded]      only then the source hears of it
 *  LOADED ------- Activate ---> [Activating] ACTIVATING -- RUNNING, workload takes, a look --+
 *    |                                          |    ^                               |
 *    | RollBack, Cancel                         v    | Activate                      v
 *    v                                        STRANDED                      [Active] ACTIVE
 *  DISCARDING <-- from LISTENING and RECEIVING by RollBack, Cancel, Stop or any failure; but once
 *    | [Discarding]   Loaded is journalled by RollBack and Cancel alone
 *    | FAILED, reset
 *    +--> [Discarded] DISCARDED
 * </pre>
 *
 * <p>In brackets: what is journalled before the session acts on it. What is LOADED is looked at
 * from time to time, and whenever the operator asks ({@link LoadedWatch}): where the device lost it
 * or cannot be reached, or nobody is left to take it, the session is STRANDED before the decision.
 * RollBack leads out of that, and Activate does where the device still holds the state. What
 * follows Committed is {@link DestinationActivation}'s, what is rolled back {@link
 * DestinationDiscard}'s.
 */
public final class DestinationMachine {
  private final Timings timings;
  final LoadedWatch watch;
  final DestinationActivation activation;
  final DestinationDiscard discard;

  public DestinationMachine(Timings timings) {
    this.timings = timings;
    this.watch = new LoadedWatch(timings);
    this.activation = new DestinationActivation(timings, watch);
    this.discard = new DestinationDiscard(timings, watch);
  }

  /** The state after {@code event}, and what is to be done. */
  public Outcome<DestinationState, DestinationAction> step(
      DestinationState s, DestinationEvent event, Moment now) {
    return event.dispatch(new Step(s, now));
  }

  /** What each kind of event leads to. */
  private final class Step
      implements DestinationEvent.Handler<Outcome<DestinationState, DestinationAction>>,
          Command.Handler<Outcome<DestinationState, DestinationAction>> {
    private final DestinationState s;
    private final Moment now;

    private Step(DestinationState s, Moment now) {
      this.s = s;
      this.now = now;
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Command command) {
      return s.step() == MainStep.REFUSED
          ? Outcome.of(s, new Reply(command.command(), s.failure()))
          : command.handle(this);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Prepare command) {
      return s.step() == MainStep.NEW
          ? Outcome.of(
              s.at(MainStep.OPENING).withCommand(command.command()), SimpleWork.OPEN_DEVICE)
          : accept(s, command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Activate command) {
      return activation.activate(s, command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(VerifyLoaded command) {
      return watch.verify(s, command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(RollBack command) {
      return discard.discardAsked(
          s,
          Failure.of(Reason.ROLLED_BACK, "the operator rolled back: " + command.reason()),
          command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Cancel command) {
      return discard.discardAsked(
          s, Failure.of(Reason.CANCELLED_BY_USER, "a user cancelled the migration"), command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(GiveUp command) {
      return discard.giveUp(s, command);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Completion completion) {
      return s.step().next(DestinationMachine.this, s, completion, now);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Later later) {
      return later.epoch() == s.epoch()
          ? s.step().next(DestinationMachine.this, s, later, now)
          : Outcome.of(s);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Stop event) {
      return isReceiving(s) ? discard.discard(s, restarted(s), 0) : Outcome.of(s);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(Recover event) {
      return s.step() == MainStep.NEW
          ? recover(s)
          : s.step().next(DestinationMachine.this, s, event, now);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(StreamStarted event) {
      return s.step() == MainStep.LISTENING ? receiving(s, now) : Outcome.of(s);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(StreamBroke event) {
      return isReceiving(s) ? discard.discard(s, event.failure(), 0) : Outcome.of(s);
    }

    @Override
    public Outcome<DestinationState, DestinationAction> on(StreamComplete event) {
      return complete(s, event, now);
    }
  }

  /** What follows once the work is done, or what was awaited has come. */
  Outcome<DestinationState, DestinationAction> goOn(
      MainStep step, DestinationState s, DestinationEvent event, Moment now) {
    return switch (step) {
      case OPENING -> opened(s, event);
      case MAPPING -> mapped(s, event);
      case JOURNALLING_PREPARED -> prepared(s, event);
      case RESETTING -> reset(s, event);
      case RESUMING -> resuming(s, event);
      case STARTING_TO_LISTEN -> listening(s, event);
      case RECEIVING -> ticked(s, expect(Ticked.class, s, event), now);
      case COMPLETING -> resumeCompleted(s, event);
      case TRANSFERRING -> transferred(s, event, now);
      case JOURNALLING_LOADED -> loaded(s, event);
      case LISTENING -> event instanceof TimerFired ? notConnected(s) : unexpected(s, event);
      case NEW -> unexpected(s, event);
      case END_RESTING ->
          s.handover().activating()
              ? DestinationActivation.journalActive(s)
              : DestinationDiscard.journalDiscarded(s);
      case STRANDED, ENDED, REFUSED -> Outcome.of(s);
    };
  }

  /** Where the session stood when its agent ended, by its journal. Recover is its first event. */
  public static DestinationState recovered(List<SessionRecord> records, Moment now) {
    return DestinationReplay.of(records, now);
  }

  private Outcome<DestinationState, DestinationAction> recover(DestinationState s) {
    return switch (s.state()) {
      case DESTINATION_LOADED -> watch.reopen(s);
      case DESTINATION_ACTIVATING -> activation.openToActivate(s);
      case DESTINATION_DISCARDING -> discard.openToDiscard(s);
      // All that is journalled is the preparation; that something arrived has no entry.
      case DESTINATION_LISTENING, DESTINATION_RECEIVING -> discard.discard(s, restarted(s), 0);
      // Not reached: the replay answers these with the step STRANDED or ENDED, not NEW, so Recover
      // goes to that step. What may be loaded is not discarded here, and what ended has ended.
      case DESTINATION_STRANDED, DESTINATION_ACTIVE, DESTINATION_DISCARDED -> Outcome.of(s);
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION,
          SOURCE_COMPLETING,
          SOURCE_COMPLETED,
          SOURCE_ROLLING_BACK,
          SOURCE_ROLLED_BACK,
          SOURCE_STRANDED ->
          throw s.state().ofOtherRole();
    };
  }

  private static boolean isReceiving(DestinationState s) {
    return s.step() == MainStep.LISTENING || s.step() == MainStep.RECEIVING;
  }

  private static Failure restarted(DestinationState s) {
    return Failure.of(
        Reason.AGENT_RESTARTED,
        "the agent ended before everything was loaded at the destination; what the device "
            + s.spec().device()
            + " had taken in is discarded. Create a new DeviceMigration to try again.");
  }

  // ------------------------------------------------------------------ preparation

  private Outcome<DestinationState, DestinationAction> opened(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Opened opened) {
      Failure refusal = Compatibility.check(s.spec(), opened.description(), opened.state());
      return refusal == null
          ? Outcome.of(s.deviceOpened(opened.state()).at(MainStep.MAPPING), SimpleWork.MAP_WINDOWS)
          : refuse(s, refusal);
    }
    return refusedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> mapped(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Mapped mapped) {
      Failure refusal = Compatibility.check(s.spec(), mapped.windows(), mapped.workload());
      return refusal == null
          ? Outcome.of(
              s.at(MainStep.JOURNALLING_PREPARED),
              new Journal(new SessionRecord.Prepared(s.spec())))
          : refuse(s, refusal);
    }
    return refusedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> prepared(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? Outcome.of(s.deviceTouched(true).at(MainStep.RESETTING), SimpleWork.RESET_FREE)
        : refusedOr(s, event);
  }

  /**
   * What was refused before said that nothing is left in the device, and that nobody uses it. A
   * driver's word alone is not taken for it where it can be reset.
   */
  private Outcome<DestinationState, DestinationAction> reset(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Opened opened) {
      DeviceState now = opened.state();
      return now == null || !now.leftOver()
          ? resume(s.withDevice(now))
          : discard.discard(
              s,
              Failure.of(
                  Reason.DEVICE_NOT_RESET,
                  "the device %s was reset and says that it is in %s, so the reset did not help and"
                      + " it takes nothing in",
                  s.spec().device(),
                  now),
              s.command());
    }
    Failure failure = event instanceof DestinationEvent.Failed failed ? failed.failure() : null;
    if (failure == null) {
      return unexpected(s, event);
    }
    boolean hasNone = failure.errno() == Errno.EOPNOTSUPP.number();
    if (hasNone && s.device().state() != null) {
      return resume(s);
    }
    Failure refusal =
        hasNone
            ? new Failure(
                Reason.DEVICE_NOT_RESET,
                "the device "
                    + s.spec().device()
                    + " has no reset and does not report its state, so what an earlier workload"
                    + " left in it cannot be known. Nothing was done to it; choose another device",
                failure.errno())
            : failure;
    // A device that refused may be in use after all: it is looked at before it is done anything to.
    return discard.discard(s.deviceTouched(false), refusal, s.command());
  }

  private static Outcome<DestinationState, DestinationAction> resume(DestinationState s) {
    return Outcome.of(s.at(MainStep.RESUMING), new Transition(DeviceState.RESUME));
  }

  private static Outcome<DestinationState, DestinationAction> refusedOr(
      DestinationState s, DestinationEvent event) {
    return event instanceof DestinationEvent.Failed failed
        ? refuse(s, failed.failure())
        : unexpected(s, event);
  }

  private static Outcome<DestinationState, DestinationAction> refuse(
      DestinationState s, Failure refusal) {
    return Outcome.of(
        s.at(SessionState.DESTINATION_DISCARDED, MainStep.REFUSED)
            .withFailure(refusal)
            .withCommand(0),
        new Reply(s.command(), refusal),
        SimpleAction.FORGET);
  }

  private Outcome<DestinationState, DestinationAction> resuming(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Done) {
      return Outcome.of(
          s.withDevice(DeviceState.RESUME).at(MainStep.STARTING_TO_LISTEN),
          SimpleWork.AWAIT_STREAMS);
    }
    boolean refused =
        event instanceof DestinationEvent.Failed failed
            && failed.failure().reason() == Reason.TRANSITION_FAILED;
    // A device that refused may be in use after all: it is looked at before it is done anything to.
    return failedOr(refused ? s.deviceTouched(false) : s, event);
  }

  private Outcome<DestinationState, DestinationAction> listening(
      DestinationState s, DestinationEvent event) {
    if (!(event instanceof Done)) {
      return failedOr(s, event);
    }
    DestinationState next = s.at(DESTINATION_LISTENING, MainStep.LISTENING).withCommand(0);
    return Outcome.of(
        next, new StartTimer(next.epoch(), timings.listening()), new Reply(s.command(), null));
  }

  private Outcome<DestinationState, DestinationAction> notConnected(DestinationState s) {
    return discard.discard(
        s,
        Failure.of(
            Reason.STREAM_BROKEN,
            "no source has connected for %s since the destination %s was prepared, so it is"
                + " released. Nothing had arrived.",
            timings.listening(),
            s.spec().device()),
        0);
  }

  private Outcome<DestinationState, DestinationAction> failedOr(
      DestinationState s, DestinationEvent event) {
    return event instanceof DestinationEvent.Failed failed
        ? discard.discard(s, failed.failure(), s.command())
        : unexpected(s, event);
  }

  // ------------------------------------------------------------------ taking in

  private Outcome<DestinationState, DestinationAction> receiving(DestinationState s, Moment now) {
    return tick(s.with(s.counters().startingAt(now)).at(DESTINATION_RECEIVING, MainStep.RECEIVING));
  }

  private Outcome<DestinationState, DestinationAction> tick(DestinationState s) {
    return Outcome.of(s, new StartTick(s.epoch(), timings.tick()));
  }

  private Outcome<DestinationState, DestinationAction> ticked(
      DestinationState s, Ticked tick, Moment now) {
    return tick(moved(s, tick.deviceStateBytes(), tick.memoryBytes(), now).at(MainStep.RECEIVING));
  }

  private static DestinationState moved(
      DestinationState s, long deviceStateBytes, long memoryBytes, Moment now) {
    return s.with(s.counters().moved(deviceStateBytes, memoryBytes, now));
  }

  private Outcome<DestinationState, DestinationAction> complete(
      DestinationState s, StreamComplete complete, Moment now) {
    if (!isReceiving(s)) {
      return Outcome.of(
          s,
          new RejectLoaded(
              Failure.of(
                  Reason.STREAM_REFUSED,
                  "the destination "
                      + s.spec().key()
                      + " takes nothing in any more: "
                      + s.state().description())));
    }
    if (complete.deviceStateBytes() == 0) {
      return discard.discard(
          s.withStreamWaits(true),
          Failure.of(
              Reason.STREAM_CORRUPT,
              "the stream for "
                  + s.spec().device()
                  + " ended and brought no device state at all, so there is nothing that could run"
                  + " here"),
          0);
    }
    return Outcome.of(
        moved(s, complete.deviceStateBytes(), complete.memoryBytes(), now)
            .pausedAt(complete.pausedAtNanos())
            .withStreamWaits(true)
            .at(DESTINATION_RECEIVING, MainStep.COMPLETING),
        new Transition(DeviceState.RESUME_COMPLETED));
  }

  private Outcome<DestinationState, DestinationAction> resumeCompleted(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? Outcome.of(
            s.withDevice(DeviceState.RESUME_COMPLETED).at(MainStep.TRANSFERRING),
            SimpleWork.TRANSFER_TO_WORKLOAD)
        : failedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> transferred(
      DestinationState s, DestinationEvent event, Moment now) {
    if (!(event instanceof Done)) {
      return failedOr(s, event);
    }
    long pausedAt =
        s.handover().pausedAtNanos() == 0
            ? 0
            : now.epochNanos() - Math.max(0, now.nanos() - s.handover().pausedAtNanos());
    return Outcome.of(
        s.at(MainStep.JOURNALLING_LOADED),
        new Journal(new SessionRecord.Loaded(pausedAt, s.progress())));
  }

  private Outcome<DestinationState, DestinationAction> loaded(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? watch
            .await(s.withLoaded().withStreamWaits(false), DESTINATION_LOADED)
            .then(SimpleAction.CONFIRM_LOADED)
        : failedOr(s, event);
  }

  static Outcome<DestinationState, DestinationAction> retryLater(
      Timings timings, DestinationState s, DestinationStep step, Failure failure) {
    DestinationState next = s.withObstacle(failure).withTries(s.tries() + 1).at(step);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry()));
  }

  static Outcome<DestinationState, DestinationAction> accept(DestinationState s, Command command) {
    return Outcome.of(s, new Reply(command.command(), null));
  }

  static Outcome<DestinationState, DestinationAction> refuse(
      DestinationState s, Command command, Reason reason, String message) {
    return Outcome.of(s, new Reply(command.command(), Failure.of(reason, message)));
  }

  /** The event, which is to be of the kind that the step awaits. */
  static <E extends DestinationEvent> E expect(
      Class<E> kind, DestinationState s, DestinationEvent event) {
    if (!kind.isInstance(event)) {
      unexpected(s, event);
    }
    return kind.cast(event);
  }

  static Outcome<DestinationState, DestinationAction> unexpected(
      DestinationState s, DestinationEvent event) {
    throw new IllegalStateException(
        "the destination " + s.spec().key() + " cannot get " + event + " in " + s.step());
  }
}
