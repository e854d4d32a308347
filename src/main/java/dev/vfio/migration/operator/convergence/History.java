package dev.vfio.migration.operator.convergence;

import java.time.Duration;
import java.time.Instant;

/**
 * What the convergence rule remembers: the last time that pending bytes fell to a new low, and the
 * rate of the last time that there was something to send. Losing it (an operator that restarts)
 * only postpones the verdict.
 *
 * @param lowestPending the lowest pending bytes that counted as progress
 * @param lowSince when that low was reached
 * @param lowRound the round in which it was reached
 * @param bytesPerSecond the rate at which the pause would be spent; 0 where nothing was measured
 *     yet
 * @param named whether the device ever named bytes as pending, or was read to its end
 * @param latest the newest sample
 */
public record History(
    long lowestPending,
    Instant lowSince,
    long lowRound,
    long bytesPerSecond,
    boolean named,
    Sample latest) {
  /**
   * Pending bytes must fall below the old low by this share of it to count as progress: less is
   * noise of an estimate.
   */
  static final double MARGIN = 0.05;

  /** The history that begins with {@code first}. */
  public static History startingWith(Sample first) {
    return from(first, first.bytesPerSecond(), first.named());
  }

  private static History from(Sample low, long bytesPerSecond, boolean named) {
    return new History(low.pendingBytes(), low.at(), low.rounds(), bytesPerSecond, named, low);
  }

  /** This history and one more sample. */
  public History and(Sample next) {
    long rate = rateWith(next);
    // Before the first complete measurement nothing is known of what is pending: no low counts.
    boolean firstComplete = !latest.complete() && next.complete();
    // Nor is one known of a device that named nothing before it named something.
    boolean firstNamed = !named && next.named();
    boolean nowNamed = named || next.named();
    return firstComplete || firstNamed || next.pendingBytes() < lowestPending * (1 - MARGIN)
        ? from(next, rate, nowNamed)
        : new History(lowestPending, lowSince, lowRound, rate, nowNamed, next);
  }

  /**
   * A device that has nothing to send leaves the line idle: what is measured then is how little was
   * asked for, not how much the line carries.
   */
  private long rateWith(Sample next) {
    return next.exhausted() || next.bytesPerSecond() <= 0
        ? Math.max(bytesPerSecond, next.bytesPerSecond())
        : next.bytesPerSecond();
  }

  /** Rounds since the last new low. */
  long roundsWithoutProgress() {
    return Math.max(0, latest.rounds() - lowRound);
  }

  /** Time since the last new low. */
  Duration timeWithoutProgress() {
    Duration time = Duration.between(lowSince, latest.at());
    return time.isNegative() ? Duration.ZERO : time;
  }
}
