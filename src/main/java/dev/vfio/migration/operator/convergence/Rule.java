package dev.vfio.migration.operator.convergence;

import dev.vfio.migration.operator.convergence.Verdict.Outcome;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.Optional;

/**
 * The convergence rule of one migration.
 *
 * <p>Converged: at least one round is complete, and what is pending either takes no longer than
 * {@code downtimeLimit} at the measured rate or is no more than {@code thresholdBytes}. A copy that
 * is good enough by these goes on all the same while the device asks for initial bytes to be read
 * and they still fall, until {@code maxDuration}: they cost the destination time of the pause that
 * no estimate shows. So does the copy of a device that never named any pending bytes, until it was
 * read to its end: an estimate of nothing is none. Stalled: no new low of the pending bytes in
 * {@link #STALL_ROUNDS} rounds and {@link #STALL_TIME}; both, because rounds of a small device last
 * milliseconds and the first round of a large one minutes. Too long: {@code maxDuration} is over.
 *
 * @param downtimeLimit the longest acceptable pause
 * @param thresholdBytes pending bytes that are always few enough
 * @param maxDuration the longest that copying may take
 */
public record Rule(Duration downtimeLimit, long thresholdBytes, Duration maxDuration) {
  /** Rounds without a new low after which a copy may count as stalled. */
  public static final int STALL_ROUNDS = 5;

  /** Time without a new low after which a copy may count as stalled. */
  public static final Duration STALL_TIME = Duration.ofSeconds(3);

  /** Judges the latest sample of {@code history}, {@code copying} after the first byte. */
  public Verdict judge(History history, Duration copying) {
    Sample sample = history.latest();
    Optional<Duration> estimate = estimateDowntime(sample, history.bytesPerSecond());
    return new Verdict(
        outcome(history, sample, estimate, copying), estimate.filter(known -> history.named()));
  }

  private Outcome outcome(
      History history, Sample sample, Optional<Duration> estimate, Duration copying) {
    boolean overTime = copying.compareTo(maxDuration) >= 0;
    boolean stalled =
        sample.complete()
            && history.timeWithoutProgress().compareTo(STALL_TIME) >= 0
            && (history.roundsWithoutProgress() >= STALL_ROUNDS || sample.exhausted());
    Optional<Outcome> enough = goodEnough(sample, estimate);
    if (enough.isPresent()) {
      boolean open = sample.initialBytes() > 0 || !history.named();
      boolean worthWaiting = open && !stalled && !overTime;
      return worthWaiting ? Outcome.COPYING : enough.get();
    }
    if (overTime) {
      return Outcome.TOO_LONG;
    }
    return stalled ? Outcome.STALLED : Outcome.COPYING;
  }

  private Optional<Outcome> goodEnough(Sample sample, Optional<Duration> estimate) {
    if (!sample.complete()) {
      return Optional.empty();
    }
    if (sample.pendingBytes() <= thresholdBytes) {
      return Optional.of(Outcome.BELOW_THRESHOLD);
    }
    return estimate
        .filter(pause -> pause.compareTo(downtimeLimit) <= 0)
        .map(pause -> Outcome.WITHIN_DOWNTIME_LIMIT);
  }

  /**
   * How long sending what is pending takes at the measured rate; empty where something is pending
   * and no rate is known.
   */
  public static Optional<Duration> estimateDowntime(Sample sample) {
    return estimateDowntime(sample, sample.bytesPerSecond());
  }

  private static Optional<Duration> estimateDowntime(Sample sample, long bytesPerSecond) {
    if (sample.pendingBytes() == 0) {
      return Optional.of(Duration.ZERO);
    }
    if (bytesPerSecond <= 0) {
      return Optional.empty();
    }
    BigDecimal seconds =
        BigDecimal.valueOf(sample.pendingBytes())
            .divide(BigDecimal.valueOf(bytesPerSecond), 9, RoundingMode.CEILING);
    // More than a century is reported as a century: Duration's nanoseconds end at 292 years.
    BigDecimal century = BigDecimal.valueOf(Duration.ofDays(36_525).toSeconds());
    BigDecimal bounded = seconds.min(century);
    return Optional.of(Duration.ofNanos(bounded.movePointRight(9).longValue()));
  }
}
