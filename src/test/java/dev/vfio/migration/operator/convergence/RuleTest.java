package dev.vfio.migration.operator.convergence;

import static dev.vfio.migration.operator.convergence.Verdict.Outcome.BELOW_THRESHOLD;
import static dev.vfio.migration.operator.convergence.Verdict.Outcome.COPYING;
import static dev.vfio.migration.operator.convergence.Verdict.Outcome.STALLED;
import static dev.vfio.migration.operator.convergence.Verdict.Outcome.TOO_LONG;
import static dev.vfio.migration.operator.convergence.Verdict.Outcome.WITHIN_DOWNTIME_LIMIT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.convergence.Verdict.Outcome;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class RuleTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final long MIB = 1L << 20;

  private final Rule rule = new Rule(Duration.ofMillis(300), 64 << 10, Duration.ofMinutes(30));

  private static Sample sample(double second, long pending, long rate, long rounds) {
    return new Sample(START.plusMillis((long) (second * 1000)), pending, rate, rounds, false);
  }

  private Outcome judge(History history) {
    return rule.judge(history, Duration.between(START, history.latest().at())).outcome();
  }

  @Test
  void convergesWhenPendingFitsTheDowntimeLimitAtTheMeasuredRate() {
    assertThat(judge(History.startingWith(sample(1, 30 * MIB, 100 * MIB, 1))))
        .isEqualTo(WITHIN_DOWNTIME_LIMIT);
    assertThat(judge(History.startingWith(sample(1, 31 * MIB, 100 * MIB, 1)))).isEqualTo(COPYING);
  }

  @Test
  void convergesBelowTheThresholdWithoutARate() {
    assertThat(judge(History.startingWith(sample(1, 64 << 10, 0, 1)))).isEqualTo(BELOW_THRESHOLD);
    assertThat(judge(History.startingWith(sample(1, (64 << 10) + 1, 0, 1)))).isEqualTo(COPYING);
  }

  @Test
  void doesNotBelieveFiguresFromBeforeTheFirstRound() {
    assertThat(judge(History.startingWith(sample(0, 0, 0, 0)))).isEqualTo(COPYING);
    Sample exhausted = new Sample(START, 0, 0, 0, true);
    assertThat(judge(History.startingWith(exhausted)))
        .as("the device is dry, but its workload's memory was not looked at")
        .isEqualTo(COPYING);
  }

  @Test
  void nothingBeforeTheFirstRoundIsCompleteCountsAsALow() {
    History history = History.startingWith(sample(0, 0, 0, 0));
    long pending = 8192 * MIB;
    for (int round = 1; round <= 7; round++) {
      history = history.and(sample(8 * round, pending, 500 * MIB, round));
      assertThat(judge(history)).as("round " + round).isEqualTo(COPYING);
      pending = pending * 6 / 10;
    }
  }

  @Test
  void aQuietDeviceIsJudgedByWhatTheLineCarries() {
    History history = History.startingWith(sample(1, 256 * MIB, 400 * MIB, 0));
    for (int second = 2; second < 10; second++) {
      history =
          history.and(
              new Sample(START.plusSeconds(second), MIB, 400 >> (second * 2), second, true));
      assertThat(judge(history)).as("second " + second).isEqualTo(WITHIN_DOWNTIME_LIMIT);
    }
  }

  @Test
  void aLineThatBecomesSlowIsBelieved() {
    History history =
        History.startingWith(sample(1, 30 * MIB, 100 * MIB, 1))
            .and(sample(2, 30 * MIB, 10 * MIB, 2));
    assertThat(judge(history)).isEqualTo(COPYING);
  }

  @Test
  void stallsAfterRoundsAndTimeWithoutANewLow() {
    History history = History.startingWith(sample(0, 100 * MIB, 10 * MIB, 1));
    history = history.and(sample(2.9, 99 * MIB, 10 * MIB, 7));
    assertThat(judge(history)).as("rounds but not time").isEqualTo(COPYING);
    history = history.and(sample(3, 99 * MIB, 10 * MIB, 8));
    assertThat(judge(history)).isEqualTo(STALLED);
  }

  @Test
  void aLongFirstRoundIsNoStall() {
    History history = History.startingWith(sample(0, 8192 * MIB, 100 * MIB, 0));
    history = history.and(sample(60, 8192 * MIB, 100 * MIB, 0));
    assertThat(judge(history)).isEqualTo(COPYING);
  }

  @Test
  void anExhaustedDeviceStallsByTimeAlone() {
    Sample stuck = new Sample(START, 100 * MIB, 10 * MIB, 1, true);
    History history =
        History.startingWith(stuck)
            .and(new Sample(START.plusSeconds(3), 100 * MIB, 10 * MIB, 1, true));
    assertThat(judge(history)).isEqualTo(STALLED);
  }

  @Test
  void progressWithinTheMarginIsNoise() {
    History history = History.startingWith(sample(0, 100 * MIB, 10 * MIB, 1));
    assertThat(history.and(sample(1, 96 * MIB, 10 * MIB, 2)).lowestPending()).isEqualTo(100 * MIB);
    assertThat(history.and(sample(1, 94 * MIB, 10 * MIB, 2)).lowestPending()).isEqualTo(94 * MIB);
  }

  @Test
  void givesUpAfterTheLongestDuration() {
    Sample copying = sample(1800, 100 * MIB, 10 * MIB, 3);
    assertThat(judge(History.startingWith(copying))).isEqualTo(TOO_LONG);
  }

  private static Sample initial(double second, long initialBytes, long rounds) {
    return new Sample(
        START.plusMillis((long) (second * 1000)),
        initialBytes,
        100 * MIB,
        rounds,
        false,
        initialBytes);
  }

  @Test
  void whatTheDeviceWantsReadBeforeItStopsIsWaitedForWhileItFalls() {
    History history = History.startingWith(initial(0, 16 * MIB, 1));
    assertThat(judge(history)).as("it would fit the downtime limit").isEqualTo(COPYING);
    for (int round = 2; round <= 8; round++) {
      history = history.and(initial(round, 16 * MIB >> round, round));
      assertThat(judge(history)).as("round " + round).isEqualTo(COPYING);
    }
    assertThat(judge(history.and(initial(9, 0, 9)))).isEqualTo(BELOW_THRESHOLD);
  }

  @Test
  void initialBytesThatNeverFallAreNotWaitedForForEver() {
    History history = History.startingWith(initial(0, MIB, 1));
    history = history.and(initial(2.9, MIB, 9));
    assertThat(judge(history)).isEqualTo(COPYING);
    history = history.and(initial(3, MIB, 10));
    assertThat(judge(history))
        .as("the copy is good enough, so it is no stall")
        .isEqualTo(WITHIN_DOWNTIME_LIMIT);
  }

  @Test
  void theLongestDurationEndsTheWaitingToo() {
    assertThat(judge(History.startingWith(initial(1799, MIB, 1)))).isEqualTo(COPYING);
    assertThat(judge(History.startingWith(initial(1800, MIB, 1)))).isEqualTo(WITHIN_DOWNTIME_LIMIT);
  }

  private static Sample unnamed(double second, long memory, long rounds, boolean exhausted) {
    return new Sample(
        START.plusMillis((long) (second * 1000)), memory, MIB, rounds, exhausted, 0, exhausted);
  }

  @Test
  void aDeviceThatNamesNothingIsReadToItsEndFirst() {
    History history = History.startingWith(unnamed(0, 0, 1, false));
    assertThat(rule.judge(history, Duration.ZERO).estimatedDowntime()).isEmpty();
    assertThat(judge(history)).as("it names nothing, and hands out state").isEqualTo(COPYING);
    assertThat(judge(history.and(unnamed(1, 0, 9, false)))).isEqualTo(COPYING);
    assertThat(judge(history.and(unnamed(1, 0, 9, true)))).isEqualTo(BELOW_THRESHOLD);
  }

  @Test
  void aDeviceThatNamesNothingAndNeverEndsIsNotGivenUpForThat() {
    History history = History.startingWith(unnamed(0, 0, 1, false)).and(unnamed(3, 0, 9, false));
    assertThat(judge(history)).as("neither stalled nor waited for").isEqualTo(BELOW_THRESHOLD);
    assertThat(judge(History.startingWith(unnamed(1800, 0, 1, false)))).isEqualTo(BELOW_THRESHOLD);
  }

  @Test
  void memoryDoesNotHideThatTheDeviceNamesNothing() {
    assertThat(judge(History.startingWith(unnamed(0, 4096, 1, false)))).isEqualTo(COPYING);
  }

  @Test
  void whatWasNamedOnceIsBelievedWhenItIsNothing() {
    History history =
        History.startingWith(sample(0, 10 * MIB, MIB, 1)).and(unnamed(1, 0, 2, false));
    assertThat(judge(history)).isEqualTo(BELOW_THRESHOLD);
  }

  @Test
  void anEstimateOfNothingIsNoLowToFallBelow() {
    History history = History.startingWith(unnamed(0, 0, 1, false));
    long pending = 8192 * MIB;
    for (int round = 2; round <= 7; round++) {
      history = history.and(sample(8 * round, pending, 100 * MIB, 10 * round));
      assertThat(judge(history)).as("round " + round).isEqualTo(COPYING);
      pending = pending * 6 / 10;
    }
  }

  @Test
  void absurdFiguresDoNotOverflow() {
    assertThat(Rule.estimateDowntime(sample(0, Long.MAX_VALUE, 1, 1)))
        .hasValueSatisfying(estimate -> assertThat(estimate).isPositive());
  }
}
