package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_AWAITING_DECISION;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_PRECOPY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_READY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STARTING;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STOPNCOPY;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceState.Decision;
import dev.vfio.migration.agent.machine.SourceState.Round;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
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
 *    |                                                                 SAVE_COMPLETED, release, reset
 *    | RollBack, Cancel                                               [Completed] COMPLETED
 *    v
 *  ROLLING_BACK <--- from every state above by RollBack, Cancel, Stop or any failure; but once
 *    | [RollingBack]     EndAllowed is journalled by RollBack and Cancel alone
 *    | FAILED or CANCELLED, RUNNING, then resume workload
 *    +--> [RolledBack] ROLLED_BACK
 *    +--> STRANDED --- RollBack, Cancel ---> ROLLING_BACK
 * </pre>
 *
 * <p>In brackets: what is journalled before the session acts on it. What follows the decision, and
 * every rollback, is {@link SourceEnding}'s; copying is {@link SourceCopying}'s.
 */
public final class SourceMachine {
  private final SourceCopying copying;
  private final SourceEnding ending;

  public SourceMachine(Pace pace) {
    this.ending = new SourceEnding(pace);
    this.copying = new SourceCopying(pace, ending);
  }

  /** The state after {@code event}, and what is to be done. */
  public Outcome<SourceState, SourceAction> step(SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Command command) {
      return command(s, command, now);
    }
    if (event instanceof Later later && later.epoch() != s.epoch()) {
      return Outcome.of(s);
    }
    if (event instanceof Stop) {
      return stop(s, now);
    }
    return switch (s.step()) {
      case NEW -> recover(s, event, now);
      case JOURNALLING_START -> started(s, event);
      case OPENING -> opened(s, event, now);
      case MAPPING -> mapped(s, event, now);
      case CONNECTING -> connected(s, event, now);
      case SETTING_RUNNING -> running(s, event);
      case SETTING_UP -> setUp(s, event, now);
      case ENTERING_PRECOPY -> enteredPrecopy(s, event, now);
      case READY -> unexpected(s, event);
      case ROUND_PENDING,
          ROUND_STATE,
          ROUND_DIRTY,
          ROUND_MEMORY,
          ROUND_REST,
          JOURNALLING_SWITCH_OVER,
          PAUSING,
          MARKING_PAUSE,
          STOPPING,
          LAST_SIZING,
          LAST_DIRTY,
          LAST_MEMORY,
          LAST_STATE,
          LAST_PENDING,
          LAST_LOOK,
          JOURNALLING_END,
          ENDING ->
          copying.step(s, event, now);
      case AWAITING_DECISION -> awaiting(s, event);
      case JOURNALLING_COMMIT,
          COMPLETE_REOPENING,
          COMPLETE_SAVING,
          COMPLETE_RELEASING,
          COMPLETE_RESETTING,
          COMPLETE_RESET_RESTING,
          COMPLETE_RESET_REOPENING,
          COMPLETE_LOOKING,
          COMPLETE_RESTING,
          JOURNALLING_COMPLETED,
          JOURNALLING_ROLL_BACK,
          ROLL_BACK_OPENING,
          ROLL_BACK_OPEN_RESTING,
          ROLL_BACK_LEAVING,
          ROLL_BACK_LEAVING_OTHERWISE,
          ROLL_BACK_RUNNING,
          ROLL_BACK_RESUMING,
          ROLL_BACK_RESUME_RESTING,
          ROLL_BACK_RESETTING,
          JOURNALLING_ROLLED_BACK,
          END_RESTING,
          STRANDED,
          ENDED,
          REFUSED ->
          ending.step(s, event, now);
    };
  }

  /** Where the session stood when its agent ended, by its journal. Recover is its first event. */
  public static SourceState recovered(List<SessionRecord> records, Moment now) {
    SourceState state = null;
    for (SessionRecord record : records) {
      if (record instanceof SessionRecord.SourceStarted started) {
        state = SourceState.initial(started.spec()).but().touched().recovered().done();
      } else if (state == null) {
        throw new IllegalArgumentException("a source's journal begins with its start: " + record);
      } else {
        state = replayed(state, record, now);
      }
    }
    return state;
  }

  private static SourceState replayed(SourceState s, SessionRecord record, Moment now) {
    if (record instanceof SessionRecord.EntriesLost lost) {
      return entriesLost(s, lost.damage(), now);
    }
    SourceState.Change change = s.but();
    if (record instanceof SessionRecord.SwitchingOver switching) {
      change.pauseAsked(now.nanosAt(switching.epochNanos()));
      change.at(SOURCE_STOPNCOPY, SourceStep.NEW);
    } else if (record instanceof SessionRecord.EndAllowed end) {
      // It was led to STOPNCOPY; what it is in now nobody has looked at.
      change.endAllowed().progress(end.progress());
      change.at(SOURCE_AWAITING_DECISION, SourceStep.NEW);
    } else if (record instanceof SessionRecord.Committed) {
      change.decision(Decision.COMMITTED).at(SessionState.SOURCE_COMPLETING, SourceStep.NEW);
    } else if (record instanceof SessionRecord.Completed completed) {
      change.device(DeviceState.SAVE_COMPLETED);
      change.failure(completed.notReset()).notReset(completed.notReset());
      change.at(SessionState.SOURCE_COMPLETED, SourceStep.ENDED);
    } else if (record instanceof SessionRecord.RollingBack back) {
      change.decision(back.cancelled() ? Decision.CANCELLED : Decision.ROLLED_BACK);
      change.failure(back.failure());
      change.at(SessionState.SOURCE_ROLLING_BACK, SourceStep.NEW);
    } else if (record instanceof SessionRecord.RolledBack back) {
      if (s.decision() == Decision.UNKNOWN) {
        change.decision(Decision.ROLLED_BACK);
      }
      change.failure(back.failure()).progress(back.progress()).device(back.device());
      change.at(SessionState.SOURCE_ROLLED_BACK, SourceStep.ENDED);
    } else {
      throw new IllegalArgumentException("not an entry of a source's journal: " + record);
    }
    return change.done();
  }

  /**
   * What cannot be read may have been EndAllowed, so the destination may be the owner: only the
   * decision leads out. Behind an entry that follows the decision only the last one can be missing,
   * and doing that work once more is harmless: a session whose device may belong to a later session
   * by now is not recovered at all.
   */
  private static SourceState entriesLost(SourceState s, String damage, Moment now) {
    if (s.decision() != Decision.UNKNOWN) {
      return s;
    }
    return s.but()
        .pauseAsked(s.pauseAsked() ? s.pausedAtNanos() : now.nanos())
        .endAllowed()
        .device(null)
        .failure(
            Failure.of(
                Reason.JOURNAL_FAILED,
                "the journal of the source "
                    + s.spec().device()
                    + " is damaged ("
                    + damage
                    + "). An entry that cannot be read may have allowed the destination to take"
                    + " over, so the source does nothing by itself: it waits, with the workload"
                    + " paused if it was, for the decision to commit or to roll back. Nothing was"
                    + " done to the device since the agent's start. Look for the cause of the"
                    + " damage on this node's disk."))
        .at(SOURCE_AWAITING_DECISION, SourceStep.NEW)
        .done();
  }

  private Outcome<SourceState, SourceAction> recover(SourceState s, SourceEvent event, Moment now) {
    if (!(event instanceof Recover)) {
      return unexpected(s, event);
    }
    if (s.decision() == Decision.COMMITTED) {
      return ending.complete(s);
    }
    if (s.state() == SessionState.SOURCE_ROLLING_BACK) {
      return ending.rollBackJournalled(s, new ArrayList<>());
    }
    if (s.endAllowed()) {
      return Outcome.of(s.but().at(SourceStep.AWAITING_DECISION).done());
    }
    return ending.rollBack(s, Decision.ROLLED_BACK, restarted(s), 0);
  }

  private Outcome<SourceState, SourceAction> stop(SourceState s, Moment now) {
    boolean leavable =
        !s.endAllowed()
            && s.decision() == Decision.UNKNOWN
            && s.step() != SourceStep.NEW
            && !s.state().terminal();
    return leavable ? ending.rollBack(s, Decision.ROLLED_BACK, restarted(s), 0) : Outcome.of(s);
  }

  private static Failure restarted(SourceState s) {
    return Failure.of(
        Reason.AGENT_RESTARTED,
        "the agent ended "
            + whenEnded(s)
            + "; the device "
            + s.spec().device()
            + " and its workload are brought back to running here. Create a new DeviceMigration to"
            + " try again.");
  }

  /** As far as it is known: a journal has no entry for what needs none, as copying. */
  private static String whenEnded(SourceState s) {
    if (s.pauseAsked()) {
      return "while the source's workload was being paused or stood still";
    }
    return s.recovered()
        ? "while the source was being set up or copied, before its workload was paused"
        : "while the source " + s.state().description();
  }

  private Outcome<SourceState, SourceAction> command(SourceState s, Command command, Moment now) {
    if (s.step() == SourceStep.REFUSED) {
      return Outcome.of(s, new Reply(command.command(), s.failure()));
    }
    if (command instanceof Start start) {
      return s.step() == SourceStep.NEW
          ? Outcome.of(
              s.but()
                  .at(SourceStep.JOURNALLING_START)
                  .command(start.command())
                  .rate(RateWindow.startingAt(now.nanos()))
                  .done(),
              new Journal(new SessionRecord.SourceStarted(s.spec())))
          : accept(s, command);
    }
    if (command instanceof SwitchOver) {
      return switchOver(s, command, now);
    }
    if (command instanceof Commit) {
      return ending.commit(s, command);
    }
    if (command instanceof RollBack rollBack) {
      Failure failure =
          Failure.of(Reason.ROLLED_BACK, "the operator rolled back: " + rollBack.reason());
      return ending.rollBackAsked(s, Decision.ROLLED_BACK, failure, command);
    }
    return ending.rollBackAsked(s, Decision.CANCELLED, null, command);
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
      default -> accept(s, command);
    };
  }

  private Outcome<SourceState, SourceAction> started(SourceState s, SourceEvent event) {
    if (event instanceof SourceEvent.Failed failed) {
      return Outcome.of(
          s.but()
              .at(SessionState.SOURCE_ROLLED_BACK, SourceStep.REFUSED)
              .failure(failed.failure())
              .command(0)
              .done(),
          new Reply(s.command(), failed.failure()),
          new Forget());
    }
    return Outcome.of(
        s.but().at(SourceStep.OPENING).command(0).done(),
        new Reply(s.command(), null),
        new OpenDevice());
  }

  private Outcome<SourceState, SourceAction> opened(SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Opened opened) {
      SourceState next =
          s.but().opened(opened.state(), opened.precopy()).at(SourceStep.MAPPING).done();
      boolean mayRun =
          opened.state() == null
              || opened.state() == DeviceState.RUNNING
              || opened.state() == DeviceState.NONE;
      if (!mayRun) {
        return ending.failed(
            next,
            Failure.of(
                Reason.TRANSITION_FAILED,
                "the device "
                    + s.spec().device()
                    + " is in "
                    + opened.state()
                    + ", and a migration starts in RUNNING; nothing was done to it. Bring it to"
                    + " RUNNING first."));
      }
      return Outcome.of(next, new MapWindows());
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> mapped(SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Mapped mapped) {
      SourceState next =
          s.but()
              .at(SourceStep.CONNECTING)
              .progress(s.progress().withMemoryPending(mapped.bytes()))
              .done();
      if (mapped.workload() != WorkloadState.RUNNING) {
        return ending.failed(
            next,
            Failure.of(
                Reason.DEVICE_BUSY,
                "the workload of "
                    + s.spec().device()
                    + " says that it is "
                    + mapped.workload()
                    + ", and only a workload that is RUNNING is moved; nothing was done to it or"
                    + " to the device. See who holds it, or choose the device that is in use."));
      }
      return Outcome.of(next, new Connect(next.epoch()));
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> connected(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Connected) {
      SourceState touched = s.but().touched().done();
      // A workload that knows nothing of migration never told its device that it runs.
      return s.deviceState() == DeviceState.NONE
          ? Outcome.of(
              touched.but().at(SourceStep.SETTING_RUNNING).done(),
              new Transition(DeviceState.RUNNING))
          : setUp(touched);
    }
    if (event instanceof NotConnected not) {
      return ending.failed(s, not.failure());
    }
    return failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> running(SourceState s, SourceEvent event) {
    return event instanceof Done
        ? setUp(s.but().device(DeviceState.RUNNING).done())
        : failedOr(s, event);
  }

  private static Outcome<SourceState, SourceAction> setUp(SourceState s) {
    return Outcome.of(s.but().at(SourceStep.SETTING_UP).done(), new Transition(DeviceState.SETUP));
  }

  /** A device that does not tell its state may be in NONE for want of somebody to say otherwise. */
  private static boolean wasNeverToldThatItRuns(SourceState s, SourceEvent event) {
    return s.deviceState() == null
        && event instanceof SourceEvent.Failed failed
        && failed.failure().reason() == Reason.TRANSITION_FAILED;
  }

  private Outcome<SourceState, SourceAction> setUp(SourceState s, SourceEvent event, Moment now) {
    if (!(event instanceof Done)) {
      return wasNeverToldThatItRuns(s, event)
          ? Outcome.of(
              s.but().at(SourceStep.SETTING_RUNNING).done(), new Transition(DeviceState.RUNNING))
          : failedOr(s, event);
    }
    SourceState.Change change = s.but().device(DeviceState.SETUP);
    if (s.spec().mode() == Mode.COLD) {
      return Outcome.of(change.at(SOURCE_READY, SourceStep.READY).done());
    }
    if (s.precopy()) {
      return Outcome.of(
          change.at(SOURCE_STARTING, SourceStep.ENTERING_PRECOPY).done(),
          new Transition(DeviceState.PRECOPY));
    }
    return firstRound(change, now);
  }

  private Outcome<SourceState, SourceAction> enteredPrecopy(
      SourceState s, SourceEvent event, Moment now) {
    return event instanceof Done
        ? firstRound(s.but().device(DeviceState.PRECOPY), now)
        : failedOr(s, event);
  }

  private Outcome<SourceState, SourceAction> firstRound(SourceState.Change change, Moment now) {
    SourceState ready =
        change.round(Round.first(now.nanos())).rate(RateWindow.startingAt(now.nanos())).done();
    return copying.beginRound(ready);
  }

  private Outcome<SourceState, SourceAction> awaiting(SourceState s, SourceEvent event) {
    if (event instanceof LoadedNotHeard not) {
      return Outcome.of(
          s.but().failure(SourceEnding.waiting(s, not.failure())).done(), new CloseStream());
    }
    if (event instanceof LoadedHeard) {
      return Outcome.of(s, new CloseStream());
    }
    return unexpected(s, event);
  }

  private Outcome<SourceState, SourceAction> failedOr(SourceState s, SourceEvent event) {
    return event instanceof SourceEvent.Failed failed
        ? ending.failed(s, failed.failure())
        : unexpected(s, event);
  }

  static Outcome<SourceState, SourceAction> accept(SourceState s, Command command) {
    return Outcome.of(s, new Reply(command.command(), null));
  }

  static Outcome<SourceState, SourceAction> refuse(
      SourceState s, Command command, Reason reason, String message) {
    return Outcome.of(s, new Reply(command.command(), Failure.of(reason, message)));
  }

  static Outcome<SourceState, SourceAction> unexpected(SourceState s, SourceEvent event) {
    throw new IllegalStateException(
        "the source " + s.spec().key() + " cannot get " + event + " in " + s.step());
  }
}
