package dev.vfio.migration.operator.convergence;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** What holds of the convergence rule for whatever agents report. */
class RulePropertiesTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void convergedMeansWithinTheLimits() {
    Seeds.check(
        1000,
        values -> {
          Sample sample = sample(values);
          Rule rule = rule(values);
          Verdict verdict = rule.judge(History.startingWith(sample), Duration.ZERO);
          boolean small = sample.pendingBytes() <= rule.thresholdBytes();
          boolean quick =
              verdict
                  .estimatedDowntime()
                  .filter(time -> time.compareTo(rule.downtimeLimit()) <= 0)
                  .isPresent();
          boolean told = sample.rounds() > 0;
          assertThat(verdict.outcome().converged()).isEqualTo(told && (small || quick));
        });
  }

  @Test
  void lessPendingNeverUndoesConvergence() {
    Seeds.check(
        1000,
        values -> {
          Sample sample = sample(values);
          Rule rule = rule(values);
          Sample less =
              new Sample(
                  sample.at(),
                  sample.pendingBytes() / 2,
                  sample.bytesPerSecond(),
                  sample.rounds(),
                  sample.exhausted());
          if (rule.judge(History.startingWith(sample), Duration.ZERO).outcome().converged()) {
            assertThat(rule.judge(History.startingWith(less), Duration.ZERO).outcome().converged())
                .isTrue();
          }
        });
  }

  @Test
  void theEstimateIsNeverTooShort() {
    Seeds.check(
        1000,
        values -> {
          Sample sample = sample(values);
          Rule.estimateDowntime(sample)
              .filter(estimate -> estimate.compareTo(Duration.ofDays(30_000)) < 0)
              .ifPresent(
                  estimate ->
                      assertThat(estimate.toNanos() / 1e9 * sample.bytesPerSecond())
                          .isGreaterThanOrEqualTo(sample.pendingBytes() * 0.999_999));
        });
  }

  @Test
  void aCopyThatKeepsHalvingNeverStalls() {
    Seeds.check(
        1000,
        values -> {
          Rule rule = rule(values);
          History history = History.startingWith(new Sample(START, 1L << 50, 1 << 20, 1, false));
          for (int round = 2; round < 40; round++) {
            history =
                history.and(
                    new Sample(
                        START.plusSeconds(2L * round),
                        history.latest().pendingBytes() / 2,
                        1 << 20,
                        round,
                        false));
            assertThat(rule.judge(history, Duration.ZERO).outcome())
                .isNotEqualTo(Verdict.Outcome.STALLED);
          }
        });
  }

  @Test
  void aCopyThatNeverGetsBetterEnds() {
    Rule rule = new Rule(Duration.ofMillis(1), 0, Duration.ofHours(10));
    Seeds.check(
        1000,
        values -> {
          History history = History.startingWith(new Sample(START, 1L << 30, 1 << 20, 0, false));
          int rounds = values.integer(Rule.STALL_ROUNDS + 1, 30);
          for (int round = 1; round <= rounds; round++) {
            long pending = (1L << 30) + values.number(0, 1 << 25);
            history =
                history.and(new Sample(START.plusSeconds(round), pending, 1 << 20, round, false));
          }
          assertThat(rule.judge(history, Duration.ZERO).outcome())
              .isEqualTo(Verdict.Outcome.STALLED);
        });
  }

  private static Sample sample(Generator values) {
    return new Sample(
        START,
        values.number(0, Long.MAX_VALUE),
        values.number(0, 1L << 40),
        values.number(0, 1000),
        values.oneOf(true, false));
  }

  private static Rule rule(Generator values) {
    return new Rule(
        Duration.ofMillis(values.number(1, 100_000)),
        values.number(0, 1L << 40),
        Duration.ofMinutes(30));
  }
}
