package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_AWAITING_DECISION;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_PRECOPY;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STOPNCOPY;
import static dev.vfio.migration.agent.machine.SourceMachine.expect;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceStep.*;
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
  private static final long MIN_ROUND_BYTES = 1L << 20;

  /** Rounds of a device that names none read until it has nothing now, or this much. */
  private static final long ROUND_BYTES_OF_UNKNOWN = 1L << 30;

  /** A stopped device may hand out twice what it named, for it only estimates, and this much. */
  private static final long STOPPED_MARGIN_BYTES = 64L << 20;

  private final Timings timings;
  private final SourceRollBack rollBack;

  SourceCopying(Timings timings, SourceRollBack rollBack) {
    this.timings = timings;
    this.rollBack = rollBack;
  }

  Outcome<SourceState, SourceAction> beginRound(SourceState s) {
    return Outcome.of(s.at(CopyingStep.ROUND_PENDING), new ReadPending(s.spec().thresholdBytes()));
  }

  Outcome<SourceState, SourceAction> switchOver(SourceState s, Command command, Moment now) {
    return Outcome.of(
        s.at(CopyingStep.JOURNALLING_SWITCH_OVER).withCommand(command.command()),
        new Journal(new SessionRecord.SwitchingOver(now.epochNanos())));
  }

  Outcome<SourceState, SourceAction> step(
      CopyingStep step, SourceState s, SourceEvent event, Moment now) {
    if (event instanceof SourceEvent.Failed failed) {
      return failed(s, failed.failure());
    }
    return switch (step) {
      case ROUND_PENDING -> roundPending(s, event, now);
      case ROUND_STATE -> roundState(s, event, now);
      case ROUND_DIRTY -> roundDirty(s, event);
      case ROUND_MEMORY -> roundMemory(s, event, now);
      case ROUND_REST -> beginRound(s.with(s.round().next(now.nanos())));
      case JOURNALLING_SWITCH_OVER ->
          Outcome.of(
              s.at(SOURCE_STOPNCOPY, CopyingStep.PAUSING).withCommand(0).pausedAt(now.nanos()),
              new Reply(s.command(), null),
              SimpleWork.PAUSE_WORKLOAD);
      case PAUSING ->
          Outcome.of(s.at(CopyingStep.MARKING_PAUSE), new SendPaused(s.handover().pausedAtNanos()));
      case MARKING_PAUSE ->
          Outcome.of(s.at(CopyingStep.STOPPING), new Transition(DeviceState.STOPNCOPY));
      case STOPPING ->
          Outcome.of(
              s.withDevice(DeviceState.STOPNCOPY)
                  .with(s.round().next(now.nanos()))
                  .at(CopyingStep.LAST_SIZING),
              new ReadPending(s.spec().thresholdBytes()));
      case LAST_SIZING -> {
        PendingBytes pending = expect(PendingRead.class, s, event).pending();
        yield Outcome.of(
            s.withProgress(s.progress().withPending(pending))
                .with(s.round().pendingRead(pending, now.nanos()))
                .at(CopyingStep.LAST_DIRTY),
            new CollectDirty(true));
      }
      case LAST_DIRTY -> lastDirty(s, event);
      case LAST_MEMORY -> lastMemory(s, event, now);
      case LAST_STATE -> lastState(s, event, now);
      case LAST_PENDING -> lastPending(s, event, now);
      case LAST_LOOK -> {
        SourceState next = s.at(CopyingStep.JOURNALLING_END);
        yield Outcome.of(next, new Journal(new SessionRecord.EndAllowed(next.progress())));
      }
      case JOURNALLING_END ->
          Outcome.of(s.withEndAllowed().at(CopyingStep.ENDING), SimpleWork.SEND_END);
      case ENDING -> awaitDecision(s, null);
    };
  }

  private Outcome<SourceState, SourceAction> failed(SourceState s, Failure failure) {
    if (s.step() == CopyingStep.ENDING) {
      // Part of the end mark may have arrived: the destination may hold everything.
      return awaitDecision(s, failure);
    }
    if (s.step() == CopyingStep.JOURNALLING_SWITCH_OVER) {
      return rollBack.failed(s.withCommand(0), failure).after(new Reply(s.command(), failure));
    }
    return rollBack.failed(s, failure);
  }

  private Outcome<SourceState, SourceAction> awaitDecision(SourceState s, Failure failure) {
    SourceState next = s.at(SOURCE_AWAITING_DECISION, MainStep.AWAITING_DECISION);
    if (failure != null) {
      return Outcome.of(
          next.withFailure(SourceRollBack.waiting(s, failure)), SimpleAction.CLOSE_STREAM);
    }
    return Outcome.of(next, new AwaitLoaded(next.epoch(), timings.loadedTimeout()));
  }

  private Outcome<SourceState, SourceAction> roundPending(
      SourceState s, SourceEvent event, Moment now) {
    PendingBytes pending = expect(PendingRead.class, s, event).pending();
    SourceState read =
        s.withProgress(s.progress().withPending(pending))
            .with(s.round().pendingRead(pending, now.nanos()))
            // Not before: whoever sees PRECOPY judges by what is pending.
            .at(SOURCE_PRECOPY, s.step());
    if (s.device().precopy()) {
      return Outcome.of(read.at(CopyingStep.ROUND_STATE), new CopyState(timings.batchBytes()));
    }
    return collectDirty(read);
  }

  private Outcome<SourceState, SourceAction> collectDirty(SourceState s) {
    return Outcome.of(s.at(CopyingStep.ROUND_DIRTY), new CollectDirty(false));
  }

  private Outcome<SourceState, SourceAction> roundState(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(s.at(CopyingStep.ROUND_STATE), new CopyState(timings.batchBytes()));
    }
    StateCopied copied = expect(StateCopied.class, s, event);
    SourceState moved = moved(s, copied.bytes(), 0, now);
    long named = moved.round().estimate().bytes();
    long enough = named == 0 ? ROUND_BYTES_OF_UNKNOWN : Math.max(MIN_ROUND_BYTES, named);
    if (copied.dry() || moved.round().sent().stateBytes() >= enough) {
      return collectDirty(moved.with(moved.round().looked(copied.dry())));
    }
    return yieldToCommands(moved.at(CopyingStep.ROUND_STATE));
  }

  private Outcome<SourceState, SourceAction> roundDirty(SourceState s, SourceEvent event) {
    SourceState found = dirtyFound(s, expect(DirtyFound.class, s, event));
    SourceRound round = found.round();
    // Said only after a look at everything: device and memory.
    boolean exhausted =
        (round.sent().dry() || !s.device().precopy())
            && round.sent().stateBytes() == 0
            && round.sent().memoryFound() == 0;
    return yieldToCommands(
        found
            .withProgress(found.progress().withRounds(found.progress().rounds(), exhausted))
            .at(CopyingStep.ROUND_MEMORY));
  }

  private static SourceState dirtyFound(SourceState s, DirtyFound found) {
    SourceRound round = s.round();
    long rate =
        round.estimate().sinceLastNanos() == 0
            ? s.progress().dirtyBytesPerSecond()
            : RateWindow.perSecond(
                saturated(round.estimate().dirtied(), found.bytes()),
                round.estimate().sinceLastNanos());
    return s.with(round.memoryFound(found.bytesToSend()))
        .withProgress(
            s.progress()
                .withDirty(s.progress().dirtyPages() + found.pages(), rate)
                .withMemoryPending(Math.max(found.bytesToSend(), found.bytesPending())));
  }

  private Outcome<SourceState, SourceAction> roundMemory(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(s.at(CopyingStep.ROUND_MEMORY), new CopyMemory(timings.batchBytes()));
    }
    MemoryCopied copied = expect(MemoryCopied.class, s, event);
    // What is pending stays as the last look found it: what is sent now is made dirty again
    // meanwhile, and nobody knows how much of it before the next look.
    SourceState moved = moved(s, 0, copied.bytes(), now).at(CopyingStep.ROUND_MEMORY);
    return copied.remaining() > 0 ? yieldToCommands(moved) : endRound(moved, now);
  }

  private Outcome<SourceState, SourceAction> endRound(SourceState s, Moment now) {
    SourceRound round = s.round();
    long took = now.nanos() - round.startedAt();
    long shortest = timings.shortestRound().toNanos();
    boolean idle = round.sent().stateBytes() == 0 && round.sent().memoryBytes() == 0;
    long rest =
        idle
            ? Math.min(timings.longestRest().toNanos(), Math.max(shortest, 2 * round.restNanos()))
            : Math.max(0, shortest - took);
    SourceState next =
        s.with(round.resting(idle ? rest : 0))
            .withProgress(
                s.progress().withRounds(s.progress().rounds() + 1, s.progress().precopyExhausted()))
            .at(CopyingStep.ROUND_REST);
    return rest == 0
        ? yieldToCommands(next)
        : Outcome.of(next, new StartTimer(next.epoch(), Duration.ofNanos(rest)));
  }

  private Outcome<SourceState, SourceAction> lastDirty(SourceState s, SourceEvent event) {
    return yieldToCommands(
        dirtyFound(s, expect(DirtyFound.class, s, event)).at(CopyingStep.LAST_MEMORY));
  }

  private Outcome<SourceState, SourceAction> lastMemory(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Continue) {
      return Outcome.of(s.at(CopyingStep.LAST_MEMORY), new CopyMemory(timings.batchBytes()));
    }
    MemoryCopied copied = expect(MemoryCopied.class, s, event);
    SourceState moved = moved(s, 0, copied.bytes(), now);
    SourceState change = moved.withProgress(moved.progress().withMemoryPending(copied.remaining()));
    return copied.remaining() > 0
        ? yieldToCommands(change.at(CopyingStep.LAST_MEMORY))
        : Outcome.of(
            change.at(CopyingStep.LAST_STATE).withTries(0), new CopyState(timings.batchBytes()));
  }

  private Outcome<SourceState, SourceAction> lastState(
      SourceState s, SourceEvent event, Moment now) {
    if (event instanceof Later) {
      return Outcome.of(s.at(CopyingStep.LAST_STATE), new CopyState(timings.batchBytes()));
    }
    StateCopied copied = expect(StateCopied.class, s, event);
    SourceState moved = moved(s, copied.bytes(), 0, now);
    boolean looks =
        copied.dry()
            || moved.round().sent().stateBytes() > beforeALook(moved.round().estimate().bytes());
    SourceState next =
        moved
            .with(moved.round().looked(copied.dry()))
            .withTries(copied.bytes() > 0 ? 0 : s.tries());
    return looks
        ? Outcome.of(next.at(CopyingStep.LAST_PENDING), new ReadPending(s.spec().thresholdBytes()))
        : yieldToCommands(next.at(CopyingStep.LAST_STATE));
  }

  private Outcome<SourceState, SourceAction> lastPending(
      SourceState s, SourceEvent event, Moment now) {
    PendingBytes pending = expect(PendingRead.class, s, event).pending();
    SourceState change = s.withProgress(s.progress().withPending(pending));
    if (!s.round().sent().dry()) {
      // Only the device's end is the end: what it estimates ends nothing.
      return pending.total() < s.round().estimate().bytes()
          ? yieldToCommands(
              change.with(s.round().pendingRead(pending, now.nanos())).at(CopyingStep.LAST_STATE))
          : rollBack.failed(change, endless(s, pending));
    }
    if (pending.total() == 0) {
      long bytes = s.progress().deviceStateBytes();
      return bytes == 0
          ? rollBack.failed(change, nothing(s))
          : Outcome.of(
              change.at(CopyingStep.LAST_LOOK), new LookAtSaved(bytes, s.progress().memoryBytes()));
    }
    if (s.tries() >= timings.dryRetries()) {
      return rollBack.failed(change, neverDry(s, pending));
    }
    SourceState next = change.withTries(s.tries() + 1).at(CopyingStep.LAST_STATE);
    // The first time at once: it may have had nothing at that moment only.
    return s.tries() == 0
        ? yieldToCommands(next)
        : Outcome.of(next, new StartTimer(next.epoch(), timings.dryRetry()));
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
        "the device %s in STOPNCOPY says that %s bytes are pending but handed out none in %s tries;"
            + " nothing that it handed out before was lost. It is brought back to RUNNING here;"
            + " report this to the maker of its driver.",
        s.spec().device(),
        pending.total(),
        timings.dryRetries());
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
        "the device %s said that %s bytes were pending when it stopped, has handed out %s in"
            + " STOPNCOPY since, and says that %s are pending still; nothing is lost. It is brought"
            + " back to RUNNING here; report this to the maker of its driver.",
        s.spec().device(),
        s.round().estimate().bytes(),
        s.round().sent().stateBytes(),
        pending.total());
  }

  private static SourceState moved(SourceState s, long state, long memory, Moment now) {
    Progress before = s.progress();
    return s.with(s.round().moved(state, memory))
        .with(
            s.counters()
                .moved(before.deviceStateBytes() + state, before.memoryBytes() + memory, now));
  }

  private static Outcome<SourceState, SourceAction> yieldToCommands(SourceState next) {
    return Outcome.of(next, new YieldToCommands(next.epoch()));
  }
}
