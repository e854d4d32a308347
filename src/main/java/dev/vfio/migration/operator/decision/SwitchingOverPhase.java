package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.SwitchoverStart;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.PendingTotal;
import java.time.Duration;
import java.util.Optional;

/**
 * SwitchingOver: the workload is paused and the rest is copied. Gives SwitchOver, and once both
 * sides report that everything arrived, VerifyLoaded.
 *
 * <pre>
 * the destination verified what it loaded   Committed
 * anything that ends it, or a timeout       RollingBack
 * </pre>
 */
final class SwitchingOverPhase extends BegunPhase {
  /** A copy that is slower than this, in bytes per second, has to be given its time in the spec. */
  static final long SLOWEST_RATE = 8L << 20;

  static final Duration SHORTEST_TIMEOUT = Duration.ofMinutes(1);

  /**
   * Estimates may rise, so a copy that goes on may take longer than was computed, but at most this
   * many times: a device that never ends its state must not keep its workload paused for ever.
   */
  static final int MAX_EXTENSIONS = 4;

  /** A pause that lasts this long is reported, whatever its limit is. */
  static final Duration LONG_PAUSE = Duration.ofSeconds(30);

  private static final SwitchoverStart NOTHING_KNOWN = new SwitchoverStart(0, 0);

  SwitchingOverPhase(DecisionDraft draft) {
    super(draft);
  }

  @Override
  Decision goOn() {
    return withoutSession(source).or(() -> withoutSession(destination)).orElseGet(this::switchOver);
  }

  private Decision switchOver() {
    // Both must report it, and both agents must be within reach: a source that waits for the
    // decision cannot go back by itself, and a destination that cannot be activated would only
    // prolong the pause.
    boolean complete =
        destination.state() == SessionState.DESTINATION_LOADED
            && source.state() == SessionState.SOURCE_AWAITING_DECISION
            && source.reachable()
            && destination.reachable();
    if (complete && destination.verifiedLoaded()) {
      return commit();
    }
    if (complete) {
      // The report may be old: since then the device, or the workload that waits for it, may have
      // failed.
      command(new Command.VerifyLoaded(), destination);
    }
    if (source.state() == SessionState.SOURCE_PRECOPY
        || source.state() == SessionState.SOURCE_READY) {
      command(new Command.SwitchOver(), source);
    }
    if (source.state() == SessionState.SOURCE_STOPNCOPY) {
      // Cold: nothing was known before.
      status.switchoverStart(source.progress());
    }
    reportLongPause();
    return orTimeOut();
  }

  private Decision commit() {
    status
        .arrived()
        .condition(
            ConditionType.HANDED_OVER,
            Status.TRUE,
            ConditionReason.COMMITTED,
            "The destination owns the state; the source never runs it again.")
        .commit();
    return again(Duration.ZERO);
  }

  /**
   * The pause has its limit also while a side is away or has forgotten its session. A new leader
   * counts from its own first look how long a side has been away; with leaders that follow one
   * another the workload would otherwise be paused without end.
   */
  @Override
  Optional<Decision> timedOutWithoutBothSides() {
    boolean missing =
        draft.sides().stream().anyMatch(side -> !side.reachable() || side.session().isEmpty());
    return missing && status.timeIn(status.phase()).compareTo(timeout()) >= 0
        ? Optional.of(orTimeOut())
        : Optional.empty();
  }

  private Decision orTimeOut() {
    return orTimeOut(timeout(), ConditionReason.SWITCHOVER_TIMED_OUT);
  }

  /**
   * As the spec says; or a minute and a second for every {@link #SLOWEST_RATE} bytes that were to
   * be copied when the pause began, extended while more than that turns up, at most to {@link
   * #MAX_EXTENSIONS} times as long.
   */
  private Duration timeout() {
    return draft.settings().timeouts().switchingOver().orElseGet(this::computedTimeout);
  }

  private Duration computedTimeout() {
    SwitchoverStart start = status.switchoverStart().orElse(NOTHING_KNOWN);
    Progress now = source.progress();
    long sentSince = Math.max(0, now.getTransferredBytes() - start.transferredBytes());
    long turnedUp = sentSince + PendingTotal.of(now);
    Duration computed = timeFor(start.pendingBytes());
    Duration extended = timeFor(turnedUp < 0 ? Long.MAX_VALUE : turnedUp);
    Duration longest = computed.multipliedBy(MAX_EXTENSIONS);
    Duration wanted = extended.compareTo(computed) > 0 ? extended : computed;
    return wanted.compareTo(longest) < 0 ? wanted : longest;
  }

  private static Duration timeFor(long bytes) {
    long seconds = Math.min(bytes / SLOWEST_RATE, Duration.ofDays(7).toSeconds());
    return SHORTEST_TIMEOUT.plusSeconds(seconds);
  }

  private void reportLongPause() {
    Duration paused = status.timeIn(status.phase());
    if (paused.compareTo(LONG_PAUSE) >= 0 && !isWaiting()) {
      undecided(
          ConditionReason.LONG_PAUSE,
          """
          Undecided; the workload has been paused for longer than %s (%s). It goes on at the \
          source after %s at the latest; set spec.cancel to true to end the pause now.\
          """
              .formatted(GoDuration.format(LONG_PAUSE), bothSides(), GoDuration.format(timeout())));
    }
    Duration untilReported = LONG_PAUSE.minus(paused);
    if (!untilReported.isNegative() && !untilReported.isZero()) {
      noLaterThan(untilReported);
    }
  }
}
