package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_PRECOPY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_READY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STARTING;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceState.Decision;
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.List;

/**
 * The source of a migration, from its start to the decision. A pure function: it knows no thread,
 * socket, disk or clock.
 *
 * <pre>
 *  Start
 *    | [SourceStarted]
 *  STARTING --- open, map windows, connect, SETUP ---+     (a device in NONE is RUNNING first)
 *    | COLD                                     LIVE | PRECOPY
 *  READY                                          PRECOPY <-+ rounds: pending, state, dirty pages;
 *    |                                               |  |___|         rests by timer
 *    +------------------ SwitchOver -----------------+
 *    | [SwitchingOver]
 *  STOPNCOPY --- pause workload, mark, STOPNCOPY, last dirty pages, state until dry and 0 pending
 *    | [EndAllowed]  end mark
 *  AWAITING_DECISION ------------------------------- Commit --------> [Committed] COMPLETING
 *    |                                                               SAVE_COMPLETED, release, reset
 *    | RollBack, Cancel                                               [Completed] COMPLETED
 *    v
 *  ROLLING_BACK <--- from every state above by RollBack, Cancel, Stop or any failure; but once
 *    | [RollingBack]     EndAllowed is journalled by RollBack and Cancel alone
 *    | FAILED or CANCELLED, RUNNING, then resume workload
 *    +--> [RolledBack] ROLLED_BACK
 *    +--> STRANDED --- RollBack, Cancel ---> ROLLING_BACK
 * </pre>
 *
 * <p>In brackets: what is journalled before the session acts on it. Copying is {@link
 * SourceCopying}'s, what follows Committed {@link SourceCompletion}'s, every way back {@link
 * SourceRollBack}'s.
 */
public final class SourceMachine {
  final SourceCopying copying;
  final SourceCompletion completion;
  final SourceRelease release;
  final SourceRollBack rollBack;

  public SourceMachine(Timings timings) {
    this.release = new SourceRelease(timings);
    this.completion = new SourceCompletion(timings, release);
    this.rollBack = new SourceRollBack(timings);
    this.copying = new SourceCopying(timings, rollBack);
  }

  /** The state after {@code event}, and what is to be done. */
  public Outcome<SourceState, SourceAction> step(SourceState s, SourceEvent event, Moment now) {
    return event.dispatch(new Step(s, now));
  }

  /** What each kind of event leads to. */
  private final class Step
      implements SourceEvent.Handler<Outcome<SourceState, SourceAction>>,
          Command.Handler<Outcome<SourceState, SourceAction>> {
    private final SourceState s;
    private final Moment now;

    private Step(SourceState s, Moment now) {
      this.s = s;
      this.now = now;
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Command command) {
      return s.step() == MainStep.REFUSED
          ? Outcome.of(s, new Reply(command.command(), s.failure()))
          : command.handle(this);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Start command) {
      return s.step() == MainStep.NEW
          ? Outcome.of(
              s.at(MainStep.JOURNALLING_START)
                  .withCommand(command.command())
                  .with(s.counters().startingAt(now)),
              new Journal(new SessionRecord.SourceStarted(s.spec())))
          : accept(s, command);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(SwitchOver command) {
      return switchOver(s, command, now);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Commit command) {
      return completion.commit(s, command);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(RollBack command) {
      Failure failure =
          Failure.of(Reason.ROLLED_BACK, "the operator rolled back: " + command.reason());
      return rollBack.rollBackAsked(s, Decision.ROLLED_BACK, failure, command);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Cancel command) {
      return rollBack.rollBackAsked(s, Decision.CANCELLED, null, command);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Completion completion) {
      return s.step().next(SourceMachine.this, s, completion, now);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Later later) {
      return later.epoch() == s.epoch()
          ? s.step().next(SourceMachine.this, s, later, now)
          : Outcome.of(s);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Stop event) {
      return stop(s);
    }

    @Override
    public Outcome<SourceState, SourceAction> on(Recover event) {
      return s.step() == MainStep.NEW
          ? recover(s)
          : s.step().next(SourceMachine.this, s, event, now);
    }
  }

  /** What follows once the work is done, or what was awaited has come. */
  Outcome<SourceState, SourceAction> goOn(
      MainStep step, SourceState s, SourceEvent event, Moment now) {
    return switch (step) {
      case JOURNALLING_START -> started(s, event);
      case OPENING -> opened(s, event);
      case MAPPING -> mapped(s, event);
      case CONNECTING -> connected(s, event);
      case SETTING_RUNNING -> running(s, event);
      case SETTING_UP -> setUp(s, event, now);
      case ENTERING_PRECOPY -> enteredPrecopy(s, event, now);
      case NEW, READY -> unexpected(s, event);
      case AWAITING_DECISION -> awaiting(s, event);
      case END_RESTING ->
          s.handover().decision() == Decision.COMMITTED
              ? SourceRelease.journalCompleted(s)
              : SourceRollBack.journalRolledBack(s);
      case STRANDED, ENDED, REFUSED -> Outcome.of(s);
    };
  }

  /** Where the session stood when its agent ended, by its journal. Recover is its first event. */
  public static SourceState recovered(List<SessionRecord> records, Moment now) {
    return SourceReplay.of(records, now);
  }

  private Outcome<SourceState, SourceAction> recover(SourceState s) {
    if (s.handover().decision() == Decision.COMMITTED) {
      return completion.complete(s);
    }
    if (s.state() == SessionState.SOURCE_ROLLING_BACK) {
      return rollBack.rollBackJournalled(s);
    }
    if (s.handover().endAllowed()) {
      return Outcome.of(s.at(MainStep.AWAITING_DECISION));
    }
    return rollBack.rollBack(s, Decision.ROLLED_BACK, restarted(s), 0);
  }

  private Outcome<SourceState, SourceAction> stop(SourceState s) {
    boolean leavable =
        !s.handover().endAllowed()
            && s.handover().decision() == Decision.UNKNOWN
            && s.step() != MainStep.NEW
            && !s.state().terminal();
    return leavable ? rollBack.rollBack(s, Decision.ROLLED_BACK, restarted(s), 0) : Outcome.of(s);
  }

  private static Failure restarted(SourceState s) {
    return Failure.of(
        Reason.AGENT_RESTARTED,
        "the agent ended %s; the device %s and its workload are brought back to running here."
            + " Create a new DeviceMigration to try again.",
        whenEnded(s),
        s.spec().device());
  }

  /** As far as it is known: a journal has no entry for what needs none, as copying. */
  private static String whenEnded(SourceState s) {
    if (s.handover().pauseAsked()) {
      return "while the source's workload was being paused or stood still";
    }
    return s.recovered()
        ? "while the source was being set up or copied, before its workload was paused"
        : "while the source " + s.state().description();
  }

  private Outcome<SourceState, SourceAction> switchOver(
      SourceState s, Command command, Moment now) {
    return switch (s.state()) {
      case SOURCE_READY, SOURCE_PRECOPY -> copying.switchOver(s, command, now);
      case SOURCE_STARTING ->
          refuse(
              s,
              command,
              Reason.NOT_READY,
              "the source is still being set up; repeat the switch-over once it is READY or"
                  + " PRECOPY");
      case SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, SOURCE_STRANDED ->
          refuse(
              s,
              command,
              Reason.ALREADY_ROLLED_BACK,
              "the source is rolled back (" + s.state().description() + "); nothing was done");
      case SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, SOURCE_COMPLETING, SOURCE_COMPLETED ->
          accept(s, command);
      case DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_LOADED,
          DESTINATION_ACTIVATING,
          DESTINATION_ACTIVE,
          DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          DESTINATION_STRANDED ->
          throw s.state().ofOtherRole();
    };
  }

  private Outcome<SourceState, SourceAction> started(SourceState s, SourceEvent event) {
    if (event instanceof SourceEvent.Failed failed) {
      return Outcome.of(
          s.at(SessionState.SOURCE_ROLLED_BACK, MainStep.REFUSED)
              .withFailure(failed.failure())
              .withCommand(0),
          new Reply(s.command(), failed.failure()),
          SimpleAction.FORGET);
    }
    return Outcome.of(
        s.at(MainStep.OPENING).withCommand(0),
        new Reply(s.command(), null),
        SimpleWork.OPEN_DEVICE);
  }

  private Outcome<SourceState, SourceAction> opened(SourceState s, SourceEvent event) {
    if (event instanceof Opened opened) {
      SourceState next = s.deviceOpened(opened).at(MainStep.MAPPING);
      boolean mayRun =
          opened.state() == null
              || opened.state() == DeviceState.RUNNING
              || opened.state() == DeviceState.NONE;
      if (!mayRun) {
        return rollBack.failed(
            next,
            Failure.of(
                Reason.TRANSITION_FAILED,
                "the device %s is in %s, and a migration starts in RUNNING; nothing was done to it."
                    + " Bring it to RUNNING first.",
                s.spec().device(),
                opened.state()));
      }
      return Outcome.of(next, SimpleWork.MAP_WINDOWS);
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> mapped(SourceState s, SourceEvent event) {
    if (event instanceof Mapped mapped) {
      SourceState next =
          s.at(MainStep.CONNECTING).withProgress(s.progress().withMemoryPending(mapped.bytes()));
      if (mapped.workload() != WorkloadState.RUNNING) {
        return rollBack.failed(
            next,
            Failure.of(
                Reason.DEVICE_BUSY,
                "the workload of %s says that it is %s, and only a workload that is RUNNING is"
                    + " moved; nothing was done to it or to the device. See who holds it, or choose"
                    + " the device that is in use.",
                s.spec().device(),
                mapped.workload()));
      }
      return Outcome.of(next, new Connect(next.epoch()));
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> connected(SourceState s, SourceEvent event) {
    if (event instanceof Connected) {
      SourceState touched = s.deviceTouched();
      // A workload that knows nothing of migration never led its device to RUNNING.
      return s.device().state() == DeviceState.NONE
          ? Outcome.of(touched.at(MainStep.SETTING_RUNNING), new Transition(DeviceState.RUNNING))
          : beginSetUp(touched);
    }
    if (event instanceof NotConnected not) {
      return rollBack.failed(s, not.failure());
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> running(SourceState s, SourceEvent event) {
    return event instanceof Done
        ? beginSetUp(s.withDevice(DeviceState.RUNNING))
        : failedOr(s, event);
  }

  private static Outcome<SourceState, SourceAction> beginSetUp(SourceState s) {
    return Outcome.of(s.at(MainStep.SETTING_UP), new Transition(DeviceState.SETUP));
  }

  /** A device that does not report its state may be in NONE: nobody ever led it to RUNNING. */
  private static boolean mayBeInNone(SourceState s, SourceEvent event) {
    return s.device().state() == null
        && event instanceof SourceEvent.Failed failed
        && failed.failure().reason() == Reason.TRANSITION_FAILED;
  }

  private Outcome<SourceState, SourceAction> setUp(SourceState s, SourceEvent event, Moment now) {
    if (!(event instanceof Done)) {
      return mayBeInNone(s, event)
          ? Outcome.of(s.at(MainStep.SETTING_RUNNING), new Transition(DeviceState.RUNNING))
          : failedOr(s, event);
    }
    SourceState next = s.withDevice(DeviceState.SETUP);
    if (s.spec().mode() == Mode.COLD) {
      return Outcome.of(next.at(SOURCE_READY, MainStep.READY));
    }
    if (s.device().precopy()) {
      return Outcome.of(
          next.at(SOURCE_STARTING, MainStep.ENTERING_PRECOPY), new Transition(DeviceState.PRECOPY));
    }
    return firstRound(next, now);
  }

  private Outcome<SourceState, SourceAction> enteredPrecopy(
      SourceState s, SourceEvent event, Moment now) {
    return event instanceof Done
        ? firstRound(s.withDevice(DeviceState.PRECOPY), now)
        : failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> firstRound(SourceState s, Moment now) {
    return copying.beginRound(
        s.with(SourceRound.first(now.nanos())).with(s.counters().startingAt(now)));
  }

  private Outcome<SourceState, SourceAction> awaiting(SourceState s, SourceEvent event) {
    if (event instanceof LoadedNotHeard not) {
      return Outcome.of(
          s.withFailure(SourceRollBack.waiting(s, not.failure())), SimpleAction.CLOSE_STREAM);
    }
    if (event instanceof LoadedHeard) {
      return Outcome.of(s, SimpleAction.CLOSE_STREAM);
    }
    return unexpected(s, event);
  }

  private Outcome<SourceState, SourceAction> failedOr(SourceState s, SourceEvent event) {
    return event instanceof SourceEvent.Failed failed
        ? rollBack.failed(s, failed.failure())
        : unexpected(s, event);
  }

  static Outcome<SourceState, SourceAction> accept(SourceState s, Command command) {
    return Outcome.of(s, new Reply(command.command(), null));
  }

  static Outcome<SourceState, SourceAction> refuse(
      SourceState s, Command command, Reason reason, String message) {
    return Outcome.of(s, new Reply(command.command(), Failure.of(reason, message)));
  }

  /** The event, which is to be of the kind that the step awaits. */
  static <E extends SourceEvent> E expect(Class<E> kind, SourceState s, SourceEvent event) {
    if (!kind.isInstance(event)) {
      unexpected(s, event);
    }
    return kind.cast(event);
  }

  static Outcome<SourceState, SourceAction> unexpected(SourceState s, SourceEvent event) {
    throw new IllegalStateException(
        "the source " + s.spec().key() + " cannot get " + event + " in " + s.step());
  }
}
