package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_AWAITING_DECISION;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_PRECOPY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STOPNCOPY;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceState.Round;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.time.Duration;

/**
 * The copying of a source: precopy rounds, and the last one while the workload stands still. Part
 * of {@link SourceMachine}, and as pure.
 *
 * <p>A round reads the pending bytes once, then device state until the device has nothing now or
 * the pending bytes of the round's begin are sent, then the pages that are marked dirty (all pages
 * in the first round). Between portions waiting commands get their turn.
 */
final class SourceCopying {
  /** Rounds of a device that names few pending bytes still read at least this much. */
  private static final long SMALLEST_ROUND_BYTES = 1L << 20;

  /** Rounds of a device that names none read until it has nothing now, or this much. */
  private static final long ROUND_BYTES_OF_UNKNOWN = 1L << 30;

  /** A stopped device may hand out twice what it named, for it only estimates, and this much. */
  private static final long STOPPED_MARGIN_BYTES = 64L << 20;

  private final Pace pace;
  private final SourceEnding ending;

  SourceCopying(Pace pace, SourceEnding ending) {
    this.pace = pace;
    this.ending = ending;
  }

  Outcome<SourceState, SourceAction> beginRound(SourceState s) {
    return Outcome.of(
        s.but().at(SourceStep.ROUND_PENDING).done(), new ReadPending(s.spec().thresholdBytes()));
  }

  Outcome<SourceState, SourceAction> switchOver(SourceState s, Command command, Moment now) {
    return Outcome.of(
        s.but().at(SourceStep.JOURNALLING_SWITCH_OVER).command(command.command()).done(),
        new Journal(new SessionRecord.SwitchingOver(now.epochNanos())));
  }

  Outcome<SourceState, SourceAction> step(SourceState s, SourceEvent event, Moment now) {
    if (event instanceof SourceEvent.Failed failed) {
      return failed(s, failed.failure());
    }
    return switch (s.step()) {
      case ROUND_PENDING -> roundPending(s, event, now);
      case ROUND_STATE -> roundState(s, event, now);
      case ROUND_DIRTY -> roundDirty(s, event);
      case ROUND_MEMORY -> roundMemory(s, event, now);
      case ROUND_REST -> beginRound(s.but().round(s.round().next(now.nanos())).done());
      case JOURNALLING_SWITCH_OVER ->
          Outcome.of(
              s.but()
                  .at(SOURCE_STOPNCOPY, SourceStep.PAUSING)
                  .command(0)
                  .pauseAsked(now.nanos())
                  .done(),
              new Reply(s.command(), null),
              new PauseWorkload());
      case PAUSING ->
          Outcome.of(
              s.but().at(SourceStep.MARKING_PAUSE).done(), new SendPaused(s.pausedAtNanos()));
      case MARKING_PAUSE ->
          Outcome.of(s.but().at(SourceStep.STOPPING).done(), new Transition(DeviceState.STOPNCOPY));
      case STOPPING ->
          Outcome.of(
              s.but()
                  .device(DeviceState.STOPNCOPY)
                  .round(s.round().next(now.nanos()))
                  .at(SourceStep.LAST_SIZING)
                  .done(),
              new ReadPending(s.spec().thresholdBytes()));
      case LAST_SIZING -> {
        PendingBytes pending = ((PendingRead) event).pending();
        yield Outcome.of(
            s.but()
                .progress(s.progress().withPending(pending))
                .round(s.round().pendingRead(pending, now.nanos()))
                .at(SourceStep.LAST_DIRTY)
                .done(),
            new CollectDirty(true));
      }
      case LAST_DIRTY -> lastDirty(s, event);
      case LAST_MEMORY -> lastMemory(s, event, now);
      case LAST_STATE -> lastState(s, event, now);
      case LAST_PENDING -> lastPending(s, event, now);
      case LAST_LOOK -> {
        SourceState next = s.but().at(SourceStep.JOURNALLING_END).done();
        yield Outcome.of(next, new Journal(new SessionRecord.EndAllowed(next.progress())));
      }
      case JOURNALLING_END ->
          Outcome.of(s.but().endAllowed().at(SourceStep.ENDING).done(), new SendEnd());
      case ENDING -> awaitDecision(s, null);
      default -> SourceMachine.unexpected(s, event);
    };
  }

  private Outcome<SourceState, SourceAction> failed(SourceState s, Failure failure) {
    if (s.step() == SourceStep.ENDING) {
      // Part of the end mark may have arrived: the destination may hold everything.
      return awaitDecision(s, failure);
    }
    if (s.step() == SourceStep.JOURNALLING_SWITCH_OVER) {
      Outcome<SourceState, SourceAction> back = ending.failed(s.but().command(0).done(), failure);
      return SourceEnding.prepend(back, new Reply(s.command(), failure));
    }
    return ending.failed(s, failure);
  }

  private Outcome<SourceState, SourceAction> awaitDecision(SourceState s, Failure failure) {
    SourceState.Change change = s.but().at(SOURCE_AWAITING_DECISION, SourceStep.AWAITING_DECISION);
    if (failure != null) {
      return Outcome.of(change.failure(SourceEnding.waiting(s, failure)).done(), new CloseStream());
    }
    SourceState next = change.done();
    return Outcome.of(next, new AwaitLoaded(next.epoch(), pace.loadedPatience()));
  }

  private Outcome<SourceState, SourceAction> roundPending(
      SourceState s, SourceEvent event, Moment now) {
    PendingBytes pending = ((PendingRead) event).pending();
    SourceState read =
        s.but()
            .progress(s.progress().withPending(pending))
            .round(s.round().pendingRead(pending, now.nanos()))
            // Not before: whoever sees PRECOPY judges by what is pending.
            .at(SOURCE_PRECOPY, s.step())
            .done();
    if (s.precopy()) {
      return Outcome.of(
          read.but().at(SourceStep.ROUND_STATE).done(), new CopyState(pace.batchBytes()));
    }
    return collectDirty(read);
  }

  private Outcome<SourceState, SourceAction> collectDirty(SourceState s) {
    return Outcome.of(s.but().at(SourceStep.ROUND_DIRTY).done(), new CollectDirty(false));
  }

  private Outcome<SourceState, SourceAction> roundState(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(
          s.but().at(SourceStep.ROUND_STATE).done(), new CopyState(pace.batchBytes()));
    }
    StateCopied copied = (StateCopied) event;
    SourceState moved = moved(s, copied.bytes(), 0, now);
    long named = moved.round().pendingBefore();
    long enough = named == 0 ? ROUND_BYTES_OF_UNKNOWN : Math.max(SMALLEST_ROUND_BYTES, named);
    if (copied.dry() || moved.round().stateBytes() >= enough) {
      return collectDirty(moved.but().round(moved.round().looked(copied.dry())).done());
    }
    return breathe(moved.but().at(SourceStep.ROUND_STATE).done());
  }

  private Outcome<SourceState, SourceAction> roundDirty(SourceState s, SourceEvent event) {
    SourceState found = dirtyFound(s, (DirtyFound) event);
    Round round = found.round();
    // Said only after a look at everything: device and memory.
    boolean exhausted =
        (round.dry() || !s.precopy()) && round.stateBytes() == 0 && round.memoryFound() == 0;
    return breathe(
        found
            .but()
            .progress(found.progress().withRounds(found.progress().rounds(), exhausted))
            .at(SourceStep.ROUND_MEMORY)
            .done());
  }

  private static SourceState dirtyFound(SourceState s, DirtyFound found) {
    Round round = s.round();
    long rate =
        round.sinceLastNanos() == 0
            ? s.progress().dirtyBytesPerSecond()
            : RateWindow.perSecond(
                saturated(round.stateDirtied(), found.bytes()), round.sinceLastNanos());
    return s.but()
        .round(round.memoryFound(found.bytesToSend()))
        .progress(
            s.progress()
                .withDirty(s.progress().dirtyPages() + found.pages(), rate)
                .withMemoryPending(Math.max(found.bytesToSend(), found.bytesPending())))
        .done();
  }

  private Outcome<SourceState, SourceAction> roundMemory(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(
          s.but().at(SourceStep.ROUND_MEMORY).done(), new CopyMemory(pace.batchBytes()));
    }
    MemoryCopied copied = (MemoryCopied) event;
    // What is pending stays as the last look found it: what is sent now is made dirty again
    // meanwhile, and nobody knows how much of it before the next look.
    SourceState moved = moved(s, 0, copied.bytes(), now).but().at(SourceStep.ROUND_MEMORY).done();
    return copied.remaining() > 0 ? breathe(moved) : endRound(moved, now);
  }

  private Outcome<SourceState, SourceAction> endRound(SourceState s, Moment now) {
    Round round = s.round();
    long took = now.nanos() - round.startedAt();
    long shortest = pace.shortestRound().toNanos();
    boolean idle = round.stateBytes() == 0 && round.memoryBytes() == 0;
    long rest =
        idle
            ? Math.min(pace.longestRest().toNanos(), Math.max(shortest, 2 * round.restNanos()))
            : Math.max(0, shortest - took);
    SourceState next =
        s.but()
            .round(round.resting(idle ? rest : 0))
            .progress(
                s.progress().withRounds(s.progress().rounds() + 1, s.progress().precopyExhausted()))
            .at(SourceStep.ROUND_REST)
            .done();
    return rest == 0
        ? breathe(next)
        : Outcome.of(next, new StartTimer(next.epoch(), Duration.ofNanos(rest)));
  }

  private Outcome<SourceState, SourceAction> lastDirty(SourceState s, SourceEvent event) {
    return breathe(dirtyFound(s, (DirtyFound) event).but().at(SourceStep.LAST_MEMORY).done());
  }

  private Outcome<SourceState, SourceAction> lastMemory(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(
          s.but().at(SourceStep.LAST_MEMORY).done(), new CopyMemory(pace.batchBytes()));
    }
    MemoryCopied copied = (MemoryCopied) event;
    SourceState moved = moved(s, 0, copied.bytes(), now);
    SourceState.Change change =
        moved.but().progress(moved.progress().withMemoryPending(copied.remaining()));
    return copied.remaining() > 0
        ? breathe(change.at(SourceStep.LAST_MEMORY).done())
        : Outcome.of(
            change.at(SourceStep.LAST_STATE).tries(0).done(), new CopyState(pace.batchBytes()));
  }

  private Outcome<SourceState, SourceAction> lastState(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Later) {
      return Outcome.of(s.but().at(SourceStep.LAST_STATE).done(), new CopyState(pace.batchBytes()));
    }
    StateCopied copied = (StateCopied) event;
    SourceState moved = moved(s, copied.bytes(), 0, now);
    SourceState.Change change = moved.but();
    if (copied.bytes() > 0) {
      change.tries(0);
    }
    boolean looks =
        copied.dry() || moved.round().stateBytes() > beforeALook(moved.round().pendingBefore());
    change.round(moved.round().looked(copied.dry()));
    return looks
        ? Outcome.of(
            change.at(SourceStep.LAST_PENDING).done(), new ReadPending(s.spec().thresholdBytes()))
        : breathe(change.at(SourceStep.LAST_STATE).done());
  }

  private Outcome<SourceState, SourceAction> lastPending(
      SourceState s, SourceEvent event, Moment now) {
    PendingBytes pending = ((PendingRead) event).pending();
    SourceState.Change change = s.but().progress(s.progress().withPending(pending));
    if (!s.round().dry()) {
      // Only the device's end is the end: what it estimates ends nothing.
      return pending.total() < s.round().pendingBefore()
          ? breathe(
              change
                  .round(s.round().pendingRead(pending, now.nanos()))
                  .at(SourceStep.LAST_STATE)
                  .done())
          : ending.failed(change.done(), endless(s, pending));
    }
    if (pending.total() == 0) {
      long bytes = s.progress().deviceStateBytes();
      return bytes == 0
          ? ending.failed(change.done(), nothing(s))
          : Outcome.of(
              change.at(SourceStep.LAST_LOOK).done(),
              new LookAtSaved(bytes, s.progress().memoryBytes()));
    }
    if (s.tries() >= pace.dryRetries()) {
      return ending.failed(change.done(), neverDry(s, pending));
    }
    SourceState next = change.tries(s.tries() + 1).at(SourceStep.LAST_STATE).done();
    // The first time at once: it may have had nothing at that moment only.
    return s.tries() == 0
        ? breathe(next)
        : Outcome.of(next, new StartTimer(next.epoch(), pace.dryRetry()));
  }

  /** No estimate, but what was counted: nothing at all cannot be the state of a device. */
  private static Failure nothing(SourceState s) {
    return Failure.of(
        Reason.DEVICE_READ_FAILED,
        "the device "
            + s.spec().device()
            + " says in STOPNCOPY that nothing is pending and has handed out no state at all, so"
            + " nothing was moved that could run elsewhere. It is brought back to RUNNING here;"
            + " report this to the maker of its driver.");
  }

  private Failure neverDry(SourceState s, PendingBytes pending) {
    return Failure.of(
        Reason.DEVICE_NEVER_DRY,
        "the device "
            + s.spec().device()
            + " in STOPNCOPY says that "
            + pending.total()
            + " bytes are pending but handed out none in "
            + pace.dryRetries()
            + " tries; nothing that it handed out before was lost. It is brought back to RUNNING"
            + " here; report this to the maker of its driver.");
  }

  /**
   * A stopped device makes no new state. One that has handed out far more than it said when it
   * stopped is asked again, and given up where it says that no less is left. Nothing follows from
   * what no more than one chunk may be, or from no estimate at all: its stream goes on to its end,
   * as long as the operator lets the pause last.
   */
  private static long beforeALook(long pending) {
    return pending <= STOPPED_MARGIN_BYTES
        ? Long.MAX_VALUE
        : saturated(saturated(pending, pending), STOPPED_MARGIN_BYTES);
  }

  private static long saturated(long one, long other) {
    long sum = one + other;
    return sum < 0 ? Long.MAX_VALUE : sum;
  }

  private Failure endless(SourceState s, PendingBytes pending) {
    return Failure.of(
        Reason.DEVICE_NEVER_DRY,
        "the device "
            + s.spec().device()
            + " said that "
            + s.round().pendingBefore()
            + " bytes were pending when it stopped, has handed out "
            + s.round().stateBytes()
            + " in STOPNCOPY since, and says that "
            + pending.total()
            + " are pending still; nothing is lost. It is brought back to RUNNING here; report this"
            + " to the maker of its driver.");
  }

  private static SourceState moved(SourceState s, long state, long memory, Moment now) {
    Progress progress =
        s.progress()
            .withMoved(
                s.progress().deviceStateBytes() + state, s.progress().memoryBytes() + memory);
    RateWindow rate = s.rate().at(now.nanos(), progress.transferredBytes());
    return s.but()
        .round(s.round().moved(state, memory))
        .rate(rate)
        .progress(progress.withRate(rate.report(now.nanos(), progress.transferredBytes())))
        .done();
  }

  private static Outcome<SourceState, SourceAction> breathe(SourceState next) {
    return Outcome.of(next, new Breathe(next.epoch()));
  }
}
