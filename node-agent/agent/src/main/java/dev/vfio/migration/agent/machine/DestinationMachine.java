package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LISTENING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_RECEIVING;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * The destination of a migration, from its preparation to the decision. A pure function: it knows
 * no thread, socket, disk or clock.
 *
 * <pre>
 *  Prepare
 *    | opens and compares device and windows; refuses before anything is touched
 *    | [Prepared]
 *  LISTENING ---- reset where it can be, RESUME, awaits the streams
 *    | first connection
 *  RECEIVING ---- device state and windows arrive
 *    | complete: RESUME_COMPLETED, given to the waiting workload
 *    | [Loaded]      only then the source is told
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
 * follows the decision is {@link DestinationEnding}'s.
 */
public final class DestinationMachine {
  private final Pace pace;
  private final LoadedWatch watch;
  private final DestinationEnding ending;

  public DestinationMachine(Pace pace) {
    this.pace = pace;
    this.watch = new LoadedWatch(pace);
    this.ending = new DestinationEnding(pace, watch);
  }

  /** The state after {@code event}, and what is to be done. */
  public Outcome<DestinationState, DestinationAction> step(
      DestinationState s, DestinationEvent event, Moment now) {
    if (event instanceof Command command) {
      return command(s, command, now);
    }
    if (event instanceof Later later && later.epoch() != s.epoch()) {
      return Outcome.of(s);
    }
    if (event instanceof Stop) {
      return isReceiving(s) ? ending.discard(s, restarted(s), 0) : Outcome.of(s);
    }
    if (event instanceof StreamStarted) {
      return s.step() == DestinationStep.LISTENING ? receiving(s, now) : Outcome.of(s);
    }
    if (event instanceof StreamBroke broke) {
      return isReceiving(s) ? ending.discard(s, broke.failure(), 0) : Outcome.of(s);
    }
    if (event instanceof StreamComplete complete) {
      return complete(s, complete, now);
    }
    return switch (s.step()) {
      case NEW -> recover(s, event);
      case OPENING -> opened(s, event);
      case MAPPING -> mapped(s, event);
      case JOURNALLING_PREPARED -> prepared(s, event);
      case RESETTING -> reset(s, event);
      case RESUMING -> resuming(s, event);
      case STARTING_TO_LISTEN -> listening(s, event);
      case RECEIVING -> ticked(s, (Ticked) event, now);
      case COMPLETING -> resumeCompleted(s, event);
      case HANDING_OVER -> handedOver(s, event, now);
      case JOURNALLING_LOADED -> loaded(s, event);
      case LOADED -> watch.look(s);
      case LOOKING -> watch.looked(s, event, now);
      case REOPENING -> watch.reopened(s, event);
      case REOPEN_RESTING -> watch.reopen(s);
      case LISTENING -> unexpected(s, event);
      case JOURNALLING_ACTIVATING,
          ACTIVATE_OPENING,
          ACTIVATE_OPEN_RESTING,
          ACTIVATE_RUNNING,
          JOURNALLING_LOST,
          ACTIVATE_TAKING,
          ACTIVATE_TAKE_RESTING,
          ACTIVATE_LOOKING,
          ACTIVATE_LOOK_RESTING,
          JOURNALLING_ACTIVE,
          JOURNALLING_DISCARD,
          DISCARD_OPENING,
          DISCARD_FAILING,
          DISCARD_RESETTING,
          DISCARD_RESTING,
          TAKING_BACK,
          TAKE_BACK_RESTING,
          JOURNALLING_DISCARDED,
          END_RESTING,
          STRANDED,
          ENDED,
          REFUSED ->
          ending.step(s, event, now);
    };
  }

  /** Where the session stood when its agent ended, by its journal. Recover is its first event. */
  public static DestinationState recovered(List<SessionRecord> records, Moment now) {
    DestinationState state = null;
    for (SessionRecord record : records) {
      if (record instanceof SessionRecord.Prepared prepared) {
        state = DestinationState.initial(prepared.spec()).but().touched(true).recovered().done();
      } else if (state == null) {
        throw new IllegalArgumentException(
            "a destination's journal begins with its preparation: " + record);
      } else {
        state = replayed(state, record, now);
      }
    }
    return state;
  }

  private static DestinationState replayed(DestinationState s, SessionRecord record, Moment now) {
    if (record instanceof SessionRecord.EntriesLost lost) {
      return entriesLost(s, lost.damage());
    }
    DestinationState.Change change = s.but();
    if (record instanceof SessionRecord.Loaded loaded) {
      if (loaded.pausedAtEpochNanos() != 0) {
        change.pausedAt(now.nanosAt(loaded.pausedAtEpochNanos()));
      }
      change.loaded().progress(loaded.progress());
      change.at(DESTINATION_LOADED, DestinationStep.NEW);
    } else if (record instanceof SessionRecord.Activating) {
      change.activating().at(SessionState.DESTINATION_ACTIVATING, DestinationStep.NEW);
    } else if (record instanceof SessionRecord.StateLost lost) {
      change.failure(lost.failure());
      change.at(SessionState.DESTINATION_STRANDED, DestinationStep.STRANDED);
    } else if (record instanceof SessionRecord.Active active) {
      change.progress(active.progress()).device(DeviceState.RUNNING);
      change.at(SessionState.DESTINATION_ACTIVE, DestinationStep.ENDED);
    } else if (record instanceof SessionRecord.Discarding discarding) {
      change.failure(discarding.failure());
      change.at(SessionState.DESTINATION_DISCARDING, DestinationStep.NEW);
    } else if (record instanceof SessionRecord.Discarded discarded) {
      change.failure(discarded.failure()).notReset(discarded.notReset());
      change.at(SessionState.DESTINATION_DISCARDED, DestinationStep.ENDED);
    } else {
      throw new IllegalArgumentException("not an entry of a destination's journal: " + record);
    }
    return change.done();
  }

  /**
   * What cannot be read may have been Loaded: then only the decision leads out. Whether everything
   * is here is known for certain only where Loaded itself can be read; otherwise nobody is told
   * LOADED, and Activate, which proves that somebody was, looks at the device first. Behind
   * Activating it may have been StateLost, after which a device is not activated, whatever it says.
   */
  private static DestinationState entriesLost(DestinationState s, String damage) {
    return switch (s.state()) {
      case DESTINATION_LISTENING ->
          s.but()
              .loaded()
              .obstacle(
                  damaged(
                      s,
                      damage,
                      "An entry that cannot be read may have said that everything is loaded, so"
                          + " nothing is discarded by itself: the decision is waited for. If the"
                          + " handover is not decided, roll back: the source holds the state."))
              .at(SessionState.DESTINATION_STRANDED, DestinationStep.STRANDED)
              .done();
      case DESTINATION_LOADED ->
          s.but()
              .obstacle(
                  damaged(
                      s,
                      damage,
                      "An entry that cannot be read may follow the decision. The device is looked"
                          + " at; until it is found to hold the state it does not count as"
                          + " loaded."))
              .done();
      case DESTINATION_ACTIVATING ->
          s.but()
              .failure(
                  damaged(
                      s,
                      damage,
                      "The handover is committed. An entry that cannot be read may have said that"
                          + " the device runs here, or that it lost its state, so nothing is done"
                          + " to it any more. See whether the workload runs here; if it does not,"
                          + " the source still holds the state, stopped. Bring the device to its"
                          + " workload by hand, move the journal file away and restart the agent."))
              .at(SessionState.DESTINATION_STRANDED, DestinationStep.STRANDED)
              .done();
      default -> s;
    };
  }

  private static Failure damaged(DestinationState s, String damage, String whatFollows) {
    return Failure.of(
            Reason.JOURNAL_FAILED,
            "the journal of the destination " + s.spec().device() + " is damaged (" + damage + ")")
        .with(whatFollows + " Look for the cause of the damage on this node's disk.");
  }

  private Outcome<DestinationState, DestinationAction> recover(
      DestinationState s, DestinationEvent event) {
    if (!(event instanceof Recover)) {
      return unexpected(s, event);
    }
    return switch (s.state()) {
      case DESTINATION_LOADED -> watch.reopen(s);
      case DESTINATION_ACTIVATING -> ending.openToActivate(s);
      case DESTINATION_DISCARDING -> ending.openToDiscard(s);
      case DESTINATION_STRANDED -> Outcome.of(s);
      default -> ending.discard(s, restarted(s), 0);
    };
  }

  private static boolean isReceiving(DestinationState s) {
    return s.step() == DestinationStep.LISTENING || s.step() == DestinationStep.RECEIVING;
  }

  private static Failure restarted(DestinationState s) {
    return Failure.of(
        Reason.AGENT_RESTARTED,
        "the agent ended before everything was loaded at the destination; what the device "
            + s.spec().device()
            + " had taken in is discarded. Create a new DeviceMigration to try again.");
  }

  private Outcome<DestinationState, DestinationAction> command(
      DestinationState s, Command command, Moment now) {
    if (s.step() == DestinationStep.REFUSED) {
      return Outcome.of(s, new Reply(command.command(), s.failure()));
    }
    if (command instanceof Prepare prepare) {
      return s.step() == DestinationStep.NEW
          ? Outcome.of(
              s.but().at(DestinationStep.OPENING).command(prepare.command()).done(),
              new OpenDevice())
          : accept(s, command);
    }
    if (command instanceof Activate) {
      return ending.activate(s, command);
    }
    if (command instanceof VerifyLoaded) {
      return watch.verify(s, command);
    }
    if (command instanceof RollBack rollBack) {
      Failure failure =
          Failure.of(Reason.ROLLED_BACK, "the operator rolled back: " + rollBack.reason());
      return ending.discardAsked(s, failure, command);
    }
    return ending.discardAsked(
        s, Failure.of(Reason.CANCELLED_BY_USER, "a user cancelled the migration"), command);
  }

  // ------------------------------------------------------------------ preparation

  private Outcome<DestinationState, DestinationAction> opened(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Opened opened) {
      Failure refusal = Compatibility.check(s.spec(), opened.description(), opened.state());
      return refusal == null
          ? Outcome.of(
              s.but().opened(opened.state()).at(DestinationStep.MAPPING).done(), new MapWindows())
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
              s.but().at(DestinationStep.JOURNALLING_PREPARED).done(),
              new Journal(new SessionRecord.Prepared(s.spec())))
          : refuse(s, refusal);
    }
    return refusedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> prepared(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? Outcome.of(s.but().touched(true).at(DestinationStep.RESETTING).done(), new ResetFree())
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
          ? resume(s.but().device(now).done())
          : ending.discard(
              s,
              Failure.of(
                  Reason.DEVICE_NOT_RESET,
                  "the device "
                      + s.spec().device()
                      + " was reset and says that it is in "
                      + now
                      + ", so the reset did not help and it takes nothing in"),
              s.command());
    }
    Failure failure = event instanceof DestinationEvent.Failed failed ? failed.failure() : null;
    if (failure == null) {
      return unexpected(s, event);
    }
    boolean hasNone = failure.errno() == Errno.EOPNOTSUPP.number();
    if (hasNone && s.deviceState() != null) {
      return resume(s);
    }
    Failure refusal =
        hasNone
            ? new Failure(
                Reason.DEVICE_NOT_RESET,
                "the device "
                    + s.spec().device()
                    + " has no reset and does not tell its state, so what an earlier workload left"
                    + " in it cannot be known. Nothing was done to it; choose another device",
                failure.errno())
            : failure;
    // A device that refused may be in use after all: it is looked at before it is done anything to.
    return ending.discard(s.but().touched(false).done(), refusal, s.command());
  }

  private static Outcome<DestinationState, DestinationAction> resume(DestinationState s) {
    return Outcome.of(
        s.but().at(DestinationStep.RESUMING).done(), new Transition(DeviceState.RESUME));
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
        s.but()
            .at(SessionState.DESTINATION_DISCARDED, DestinationStep.REFUSED)
            .failure(refusal)
            .command(0)
            .done(),
        new Reply(s.command(), refusal),
        new Forget());
  }

  private Outcome<DestinationState, DestinationAction> resuming(
      DestinationState s, DestinationEvent event) {
    if (event instanceof Done) {
      return Outcome.of(
          s.but().device(DeviceState.RESUME).at(DestinationStep.STARTING_TO_LISTEN).done(),
          new AwaitStreams());
    }
    boolean refused =
        event instanceof DestinationEvent.Failed failed
            && failed.failure().reason() == Reason.TRANSITION_FAILED;
    // A device that refused may be in use after all: it is looked at before it is done anything to.
    return failedOr(refused ? s.but().touched(false).done() : s, event);
  }

  private Outcome<DestinationState, DestinationAction> listening(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? Outcome.of(
            s.but().at(DESTINATION_LISTENING, DestinationStep.LISTENING).command(0).done(),
            new Reply(s.command(), null))
        : failedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> failedOr(
      DestinationState s, DestinationEvent event) {
    return event instanceof DestinationEvent.Failed failed
        ? ending.discard(s, failed.failure(), s.command())
        : unexpected(s, event);
  }

  // ------------------------------------------------------------------ taking in

  private Outcome<DestinationState, DestinationAction> receiving(DestinationState s, Moment now) {
    return tick(
        s.but()
            .rate(RateWindow.startingAt(now.nanos()))
            .at(DESTINATION_RECEIVING, DestinationStep.RECEIVING)
            .done());
  }

  private Outcome<DestinationState, DestinationAction> tick(DestinationState s) {
    return Outcome.of(s, new StartTick(s.epoch(), pace.tick()));
  }

  private Outcome<DestinationState, DestinationAction> ticked(
      DestinationState s, Ticked tick, Moment now) {
    return tick(
        moved(s, tick.deviceStateBytes(), tick.memoryBytes(), now)
            .but()
            .at(DestinationStep.RECEIVING)
            .done());
  }

  private static DestinationState moved(
      DestinationState s, long deviceStateBytes, long memoryBytes, Moment now) {
    long bytes = deviceStateBytes + memoryBytes;
    RateWindow rate = s.rate().at(now.nanos(), bytes);
    return s.but()
        .rate(rate)
        .progress(
            s.progress()
                .withMoved(deviceStateBytes, memoryBytes)
                .withRate(rate.report(now.nanos(), bytes)))
        .done();
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
      return ending.discard(
          s.but().streamWaits(true).done(),
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
            .but()
            .pausedAt(complete.pausedAtNanos())
            .streamWaits(true)
            .at(DESTINATION_RECEIVING, DestinationStep.COMPLETING)
            .done(),
        new Transition(DeviceState.RESUME_COMPLETED));
  }

  private Outcome<DestinationState, DestinationAction> resumeCompleted(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? Outcome.of(
            s.but().device(DeviceState.RESUME_COMPLETED).at(DestinationStep.HANDING_OVER).done(),
            new HandToWorkload())
        : failedOr(s, event);
  }

  private Outcome<DestinationState, DestinationAction> handedOver(
      DestinationState s, DestinationEvent event, Moment now) {
    if (!(event instanceof Done)) {
      return failedOr(s, event);
    }
    long pausedAt =
        s.pausedAtNanos() == 0
            ? 0
            : now.epochNanos() - Math.max(0, now.nanos() - s.pausedAtNanos());
    return Outcome.of(
        s.but().at(DestinationStep.JOURNALLING_LOADED).done(),
        new Journal(new SessionRecord.Loaded(pausedAt, s.progress())));
  }

  private Outcome<DestinationState, DestinationAction> loaded(
      DestinationState s, DestinationEvent event) {
    return event instanceof Done
        ? then(
            watch.await(s.but().loaded().streamWaits(false).done(), DESTINATION_LOADED),
            new ConfirmLoaded())
        : failedOr(s, event);
  }

  private static Outcome<DestinationState, DestinationAction> then(
      Outcome<DestinationState, DestinationAction> outcome, DestinationAction last) {
    List<DestinationAction> actions = new ArrayList<>(outcome.actions());
    actions.add(last);
    return new Outcome<>(outcome.state(), actions);
  }

  static Outcome<DestinationState, DestinationAction> accept(DestinationState s, Command command) {
    return Outcome.of(s, new Reply(command.command(), null));
  }

  static Outcome<DestinationState, DestinationAction> refuse(
      DestinationState s, Command command, Reason reason, String message) {
    return Outcome.of(s, new Reply(command.command(), Failure.of(reason, message)));
  }

  static Outcome<DestinationState, DestinationAction> unexpected(
      DestinationState s, DestinationEvent event) {
    throw new IllegalStateException(
        "the destination " + s.spec().key() + " cannot get " + event + " in " + s.step());
  }
}
