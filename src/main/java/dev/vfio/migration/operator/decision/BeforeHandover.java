package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Convergence.OnStall;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.SwitchoverStart;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Preparing, PreCopy and SwitchingOver: agents hold sessions, nothing is decided, everything can go
 * back to the source.
 *
 * <p>In each phase, in this order: what ends the migration (deleted, cancelled, a failed side, a
 * lost session, a refusal, an agent away for too long), then what the phase waits for, then its
 * timeout.
 */
final class BeforeHandover {
  /** A copy that is slower than this, in bytes per second, has to be given its time in the spec. */
  static final long SLOWEST_RATE = 8L << 20;

  static final Duration SHORTEST_SWITCHOVER_TIMEOUT = Duration.ofMinutes(1);

  /**
   * Estimates may rise, so a copy that goes on may take longer than was computed, but at most this
   * many times: a device that never ends its state must not keep its workload paused for ever.
   */
  static final int MOST_EXTENSIONS = 4;

  private static final SwitchoverStart NOTHING_KNOWN = new SwitchoverStart(0, 0);

  /** A pause that lasts this long is told, whatever its limit is. */
  static final Duration LONG_PAUSE = Duration.ofSeconds(30);

  private final Observation seen;
  private final Side source;
  private final Side destination;
  private final StatusDraft draft;
  private final List<Command> commands = new ArrayList<>();
  private final SideConditions sides;
  private Duration checkAgain = Duration.ofSeconds(10);
  private boolean waiting;

  BeforeHandover(Observation seen) {
    this(seen, new StatusDraft(seen));
  }

  /**
   * @param draft with what is known already
   */
  BeforeHandover(Observation seen, StatusDraft draft) {
    this.seen = seen;
    this.source = seen.source();
    this.destination = seen.destination();
    this.draft = draft;
    this.sides = new SideConditions(draft);
  }

  Decision preparing() {
    draft.progress(source, destination);
    Optional<Decision> ended = ended();
    if (ended.isPresent()) {
      return ended.get();
    }
    boolean listening =
        destination.state() == SessionState.DESTINATION_LISTENING
            || destination.state() == SessionState.DESTINATION_RECEIVING;
    if (destination.session().isEmpty() && !sides.mayHaveBeenTouched(source)) {
      command(new Command.PrepareDestination(), destination);
    } else if (destination.session().isEmpty()) {
      return lost(destination).orElseGet(this::decision);
    } else if (listening && !sides.mayHaveBeenTouched(source)) {
      // Recorded before the command is given: from here on the source may have been touched.
      draft
          .touch(Role.SOURCE)
          .condition(
              ConditionType.SOURCE_READY,
              Status.FALSE,
              ConditionReason.STARTING,
              "The source is being set up.");
      checkAgain = Duration.ZERO;
    } else if (destination.state() == SessionState.DESTINATION_RECEIVING
        && source.session().isEmpty()) {
      // It has been started and sends: its agent has only not said so yet, or has forgotten it.
      if (source.lost(seen.claim())) {
        return lost(source).orElseGet(this::decision);
      }
      if (source.inspection().isEmpty()) {
        commands.add(new Command.Inspect(Role.SOURCE));
      }
      checkAgain = Decisions.SOON;
    } else if (listening && source.session().isEmpty()) {
      command(new Command.StartSource(), source);
    }
    boolean ready =
        source.state() == SessionState.SOURCE_PRECOPY
            || source.state() == SessionState.SOURCE_READY;
    if (ready) {
      return seen.settings().mode() == Mode.LIVE ? beginCopying() : beginCold();
    }
    return orTimeOut(
        Phase.PREPARING,
        seen.settings().timeouts().preparing(),
        ConditionReason.PREPARING_TIMED_OUT,
        "Preparing");
  }

  private Decision beginCopying() {
    draft.condition(
        ConditionType.CONVERGED, Status.FALSE, ConditionReason.COPYING, "Copying has begun.");
    draft.enter(Phase.PRE_COPY);
    checkAgain = Duration.ZERO;
    return decision();
  }

  private Decision beginCold() {
    if (seen.settings().manualSwitchover()) {
      draft.condition(
          ConditionType.CONVERGED,
          Status.TRUE,
          ConditionReason.WAITING_FOR_SWITCHOVER,
          "Ready to pause the workload and copy; waits until spec.switchover is changed to"
              + " Automatic.");
      return decision();
    }
    draft.condition(
        ConditionType.CONVERGED,
        Status.TRUE,
        ConditionReason.COLD,
        "Cold: the workload is paused before anything is copied.");
    return switchOverNow();
  }

  Decision preCopy() {
    draft.progress(source, destination);
    Optional<Decision> ended = ended().or(() -> lost(source)).or(() -> lost(destination));
    if (ended.isPresent()) {
      return ended.get();
    }
    Optional<History> history =
        seen.history().filter(known -> source.state() == SessionState.SOURCE_PRECOPY);
    if (history.isEmpty()) {
      return decision();
    }
    Verdict verdict = seen.settings().rule().judge(history.get(), timeWithoutConvergence());
    draft.estimatedDowntime(verdict.estimatedDowntime());
    // Stalls and limits are a matter of time: look again even if the agent reports nothing new.
    checkAgain = Duration.ofSeconds(1);
    if (releasedByHand()) {
      converged(
          Status.TRUE,
          ConditionReason.RELEASED_BY_HAND,
          figures(verdict) + " spec.switchover was changed to Automatic.");
      return switchOverNow();
    }
    return switch (verdict.outcome()) {
      case COPYING -> {
        converged(Status.FALSE, ConditionReason.COPYING, figures(verdict));
        yield decision();
      }
      case WITHIN_DOWNTIME_LIMIT -> converged(ConditionReason.WITHIN_DOWNTIME_LIMIT, verdict);
      case BELOW_THRESHOLD -> converged(ConditionReason.BELOW_THRESHOLD, verdict);
      case STALLED ->
          stalled(
              ConditionReason.STALLED,
              "The workload changes its state as fast as it is copied",
              verdict);
      case TOO_LONG ->
          stalled(
              ConditionReason.TOO_LONG,
              "Copying did not converge within "
                  + GoDuration.format(seen.settings().rule().maxDuration()),
              verdict);
    };
  }

  /**
   * A person who holds the trigger and lets go of it wants the switchover, whatever the figures are
   * at that moment. These reasons last only while the trigger is held: otherwise the phase changes
   * with them.
   */
  private boolean releasedByHand() {
    ConditionReason said = draft.reasonOf(ConditionType.CONVERGED);
    boolean held =
        said == ConditionReason.WAITING_FOR_SWITCHOVER
            || said == ConditionReason.STALLED
            || said == ConditionReason.TOO_LONG;
    return held && !seen.settings().manualSwitchover();
  }

  private Decision converged(ConditionReason reason, Verdict verdict) {
    if (seen.settings().manualSwitchover()) {
      converged(
          Status.TRUE,
          ConditionReason.WAITING_FOR_SWITCHOVER,
          figures(verdict) + " Waits until spec.switchover is changed to Automatic.");
      return decision();
    }
    converged(Status.TRUE, reason, figures(verdict));
    return switchOverNow();
  }

  private Decision stalled(ConditionReason reason, String what, Verdict verdict) {
    String message = what + ". " + figures(verdict);
    if (seen.settings().manualSwitchover()) {
      // Who holds the trigger also decides when to give up.
      converged(
          Status.FALSE,
          reason,
          message + " Nothing follows from it while spec.switchover is Manual.");
      return decision();
    }
    if (seen.settings().onStall() == OnStall.SWITCHOVER) {
      converged(
          Status.FALSE,
          reason,
          message + " Switching over anyway, because convergence.onStall is Switchover.");
      return switchOverNow();
    }
    converged(Status.FALSE, reason, message);
    return back(
        ConditionReason.DID_NOT_CONVERGE,
        what
            + "; Converged has the figures."
            + " Cancelled, because convergence.onStall is Cancel: allow a longer downtimeLimit, set"
            + " onStall to Switchover, or use mode Cold.",
        true);
  }

  private Decision switchOverNow() {
    if (seen.settings().mode() == Mode.LIVE) {
      draft.switchoverStart(sourceProgress());
    }
    draft.enter(Phase.SWITCHING_OVER);
    // The phase is recorded first, while the workload still runs: the write is not part of the
    // downtime.
    checkAgain = Duration.ZERO;
    return decision();
  }

  private void converged(Status status, ConditionReason reason, String message) {
    draft.condition(ConditionType.CONVERGED, status, reason, message);
  }

  private String figures(Verdict verdict) {
    long pending = seen.history().orElseThrow().latest().pendingBytes();
    long rate = seen.history().orElseThrow().bytesPerSecond();
    return ByteSize.format(pending)
        + " pending at "
        + ByteSize.formatRate(rate)
        + ": estimated downtime "
        + verdict.estimatedDowntime().map(GoDuration::format).orElse("unknown")
        + ", limit "
        + GoDuration.format(seen.settings().rule().downtimeLimit())
        + "."
        + wish(seen.history().orElseThrow().latest().initialBytes());
  }

  private static String wish(long initialBytes) {
    return initialBytes == 0
        ? ""
        : " The device asks for "
            + ByteSize.format(initialBytes)
            + " of it to be read before it is stopped.";
  }

  /** Since copying began, or since it last was converged (a Manual switchover may come late). */
  private Duration timeWithoutConvergence() {
    Duration copying = draft.timeIn(Phase.PRE_COPY);
    return draft
        .timeSinceChange(ConditionType.CONVERGED)
        .filter(time -> time.compareTo(copying) < 0)
        .orElse(copying);
  }

  Decision switchingOver() {
    draft.progress(source, destination);
    Optional<Decision> ended = ended().or(() -> lost(source)).or(() -> lost(destination));
    if (ended.isPresent()) {
      return ended.get();
    }
    boolean loaded = destination.state() == SessionState.DESTINATION_LOADED;
    // Both must say so, and both must be in reach: a source that waits for the decision cannot go
    // back by itself, and a
    // destination that cannot be activated would only prolong the pause.
    boolean complete =
        loaded
            && source.state() == SessionState.SOURCE_AWAITING_DECISION
            && source.reachable()
            && destination.reachable();
    if (complete && !destination.verifiedLoaded()) {
      // What was reported may be old by now: the device may have died, or who was to take it.
      command(new Command.VerifyLoaded(), destination);
    } else if (complete) {
      draft
          .arrived()
          .condition(
              ConditionType.HANDED_OVER,
              Status.TRUE,
              ConditionReason.COMMITTED,
              "The destination owns the state; the source never runs it again.")
          .commit();
      checkAgain = Duration.ZERO;
      return decision();
    }
    if (source.state() == SessionState.SOURCE_PRECOPY
        || source.state() == SessionState.SOURCE_READY) {
      command(new Command.SwitchOver(), source);
    }
    if (source.state() == SessionState.SOURCE_STOPNCOPY) {
      // Cold: nothing was known before.
      draft.switchoverStart(sourceProgress());
    }
    tellOfLongPause();
    return orSwitchoverTimedOut();
  }

  private Decision orSwitchoverTimedOut() {
    return orTimeOut(
        Phase.SWITCHING_OVER,
        switchoverTimeout(),
        ConditionReason.SWITCHOVER_TIMED_OUT,
        "SwitchingOver");
  }

  /**
   * As the spec says; or a minute and a second for every {@link #SLOWEST_RATE} bytes that were to
   * be copied when the pause began, extended while more than that turns up, at most to {@link
   * #MOST_EXTENSIONS} times as long.
   */
  private Duration switchoverTimeout() {
    return seen.settings().timeouts().switchingOver().orElseGet(this::computedTimeout);
  }

  private Duration computedTimeout() {
    SwitchoverStart start = draft.switchoverStart().orElse(NOTHING_KNOWN);
    Progress now = sourceProgress();
    long sentSince = Math.max(0, now.getTransferredBytes() - start.transferredBytes());
    long turnedUp = sentSince + PendingTotal.of(now);
    Duration computed = timeFor(start.pendingBytes());
    Duration extended = timeFor(turnedUp < 0 ? Long.MAX_VALUE : turnedUp);
    Duration longest = computed.multipliedBy(MOST_EXTENSIONS);
    Duration wanted = extended.compareTo(computed) > 0 ? extended : computed;
    return wanted.compareTo(longest) < 0 ? wanted : longest;
  }

  private static Duration timeFor(long bytes) {
    long seconds = Math.min(bytes / SLOWEST_RATE, Duration.ofDays(7).toSeconds());
    return SHORTEST_SWITCHOVER_TIMEOUT.plusSeconds(seconds);
  }

  private Progress sourceProgress() {
    return source.session().map(Session::getProgress).orElse(Progress.getDefaultInstance());
  }

  private void tellOfLongPause() {
    Duration paused = draft.timeIn(Phase.SWITCHING_OVER);
    if (paused.compareTo(LONG_PAUSE) >= 0 && !waiting) {
      draft.condition(
          ConditionType.HANDED_OVER,
          Status.FALSE,
          ConditionReason.LONG_PAUSE,
          "Undecided; the workload has been paused for longer than "
              + GoDuration.format(LONG_PAUSE)
              + " (the source is "
              + SessionWords.of(source)
              + ", the destination is "
              + SessionWords.of(destination)
              + "). It goes on at the source after "
              + GoDuration.format(switchoverTimeout())
              + " at the latest; set spec.cancel to true to end the pause now.");
    }
    Duration untilTold = LONG_PAUSE.minus(paused);
    if (!untilTold.isNegative() && !untilTold.isZero()) {
      checkAgain = untilTold.compareTo(checkAgain) < 0 ? untilTold : checkAgain;
    }
  }

  private Optional<Decision> ended() {
    if (seen.deletionRequested()) {
      return Optional.of(
          back(
              ConditionReason.CANCELLED_BY_DELETION,
              "The object was deleted before the handover: cancelled.",
              true));
    }
    if (seen.settings().cancel()) {
      return Optional.of(
          back(
              ConditionReason.CANCELLED_BY_USER, "spec.cancel was set before the handover.", true));
    }
    Optional<Decision> failed =
        Causes.of(source, destination).map(cause -> back(cause.reason(), cause.message(), false));
    if (failed.isPresent()) {
      return failed;
    }
    sides.render(source);
    sides.render(destination);
    return overdue().or(() -> unavailable(source)).or(() -> unavailable(destination));
  }

  /**
   * The pause has its limit also while a side is away or has forgotten its session. How long it has
   * been away a new leader counts from its own first look, so that with leaders that follow one
   * another the workload would be paused without end.
   */
  private Optional<Decision> overdue() {
    boolean missing =
        Stream.of(source, destination)
            .anyMatch(side -> !side.reachable() || side.session().isEmpty());
    return missing
            && draft.phase() == Phase.SWITCHING_OVER
            && draft.timeIn(Phase.SWITCHING_OVER).compareTo(switchoverTimeout()) >= 0
        ? Optional.of(orSwitchoverTimedOut())
        : Optional.empty();
  }

  private Optional<Decision> unavailable(Side side) {
    if (side.reachable()) {
      return Optional.empty();
    }
    Duration limit = seen.settings().timeouts().agentUnavailable();
    if (side.awayAt(seen.steady()).compareTo(limit) >= 0) {
      return Optional.of(
          back(
              ConditionReason.AGENT_UNAVAILABLE,
              "Gave up after " + GoDuration.format(limit) + ": " + side.unavailability() + ".",
              false));
    }
    draft.condition(
        ConditionType.HANDED_OVER,
        Status.FALSE,
        ConditionReason.AGENT_UNAVAILABLE,
        "Undecided; waiting up to "
            + GoDuration.format(limit)
            + ": "
            + side.unavailability()
            + ".");
    waiting = true;
    checkAgain = Duration.ofSeconds(1);
    return Optional.of(decision());
  }

  /** Asks an agent that should have a session and reports none, and goes back when it has none. */
  private Optional<Decision> lost(Side side) {
    if (side.session().isPresent()) {
      return Optional.empty();
    }
    if (side.lost(seen.claim())) {
      return Optional.of(
          back(
              ConditionReason.SESSION_LOST,
              "The agent on "
                  + side.location().nodeName()
                  + " no longer knows this migration. Was its journal lost?",
              false));
    }
    if (side.inspection().isEmpty()) {
      commands.add(new Command.Inspect(side.role()));
    }
    checkAgain = Decisions.SOON;
    return Optional.of(decision());
  }

  private Decision orTimeOut(Phase phase, Duration limit, ConditionReason reason, String name) {
    Duration left = limit.minus(draft.timeIn(phase));
    if (left.isNegative() || left.isZero()) {
      return back(
          reason,
          name
              + " took longer than "
              + GoDuration.format(limit)
              + " (the source is "
              + SessionWords.of(source)
              + ", the destination is "
              + SessionWords.of(destination)
              + ").",
          false);
    }
    checkAgain = left.compareTo(checkAgain) < 0 ? left : checkAgain;
    return decision();
  }

  private void command(Command command, Side side) {
    commands.add(command);
    checkAgain = Decisions.SOON;
    waiting = true;
    side.refusal()
        .ifPresent(
            refusal ->
                draft.condition(
                    ConditionType.HANDED_OVER,
                    Status.FALSE,
                    ConditionReason.AGENT_UNAVAILABLE,
                    "Undecided; the agent on "
                        + side.location().nodeName()
                        + " did not carry out a command, trying again: "
                        + refusal.message()
                        + "."));
  }

  /** Rolls back for a failure. */
  Decision backTo(ConditionReason reason, String message) {
    return back(reason, message, false);
  }

  private Decision back(ConditionReason reason, String message, boolean cancelled) {
    commands.clear();
    draft
        .condition(ConditionType.SUCCEEDED, Status.FALSE, reason, message)
        .rollBack(reason, message, cancelled);
    for (Side side : List.of(source, destination)) {
      // A side that refused the very first command was not touched, and going back has nothing to
      // do there.
      side.refusal()
          .filter(refusal -> refusal.touchedNothing() && side.session().isEmpty())
          .ifPresent(refusal -> sides.refused(side, refusal));
    }
    checkAgain = Duration.ZERO;
    return decision();
  }

  private Decision decision() {
    if (!waiting
        && draft.reasonOf(ConditionType.HANDED_OVER) == ConditionReason.AGENT_UNAVAILABLE) {
      draft.condition(
          ConditionType.HANDED_OVER,
          Status.FALSE,
          ConditionReason.UNDECIDED,
          "Everything can still go back to the source.");
    }
    return new Decision(draft.build(seen.attempt()), commands, Optional.of(checkAgain), false);
  }
}
