package dev.vfio.migration.operator.convergence;

import java.time.Duration;
import java.time.Instant;

/**
 * What the stall rule remembers: the last time that pending bytes fell to a new low. Losing it (an
 * operator that restarts) only postpones the verdict.
 *
 * @param lowestPending the lowest pending bytes that counted as progress
 * @param lowSince when that low was reached
 * @param lowRound the round in which it was reached
 * @param latest the newest sample
 */
public record History(long lowestPending, Instant lowSince, long lowRound, Sample latest) {
  /**
   * Pending bytes must fall below the old low by this share of it to count as progress: less is
   * noise of an estimate.
   */
  static final double MARGIN = 0.05;

  /** The history that begins with {@code first}. */
  public static History startingWith(Sample first) {
    return new History(first.pendingBytes(), first.at(), first.rounds(), first);
  }

  /** This history and one more sample. */
  public History and(Sample next) {
    return next.pendingBytes() < lowestPending * (1 - MARGIN)
        ? startingWith(next)
        : new History(lowestPending, lowSince, lowRound, next);
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
