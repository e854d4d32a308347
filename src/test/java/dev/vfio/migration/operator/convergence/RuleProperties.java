package dev.vfio.migration.operator.convergence;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** What holds of the convergence rule for whatever agents report. */
class RuleProperties {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  @Property
  void convergedMeansWithinTheLimits(@ForAll("samples") Sample sample, @ForAll("rules") Rule rule) {
    Verdict verdict = rule.judge(History.startingWith(sample), Duration.ZERO);
    boolean small = sample.pendingBytes() <= rule.thresholdBytes();
    boolean quick =
        verdict
            .estimatedDowntime()
            .filter(time -> time.compareTo(rule.downtimeLimit()) <= 0)
            .isPresent();
    boolean told = sample.rounds() > 0;
    assertThat(verdict.outcome().converged()).isEqualTo(told && (small || quick));
  }

  @Property
  void lessPendingNeverUndoesConvergence(
      @ForAll("samples") Sample sample, @ForAll("rules") Rule rule) {
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
  }

  @Property
  void theEstimateIsNeverTooShort(@ForAll("samples") Sample sample) {
    Rule.estimateDowntime(sample)
        .filter(estimate -> estimate.compareTo(Duration.ofDays(30_000)) < 0)
        .ifPresent(
            estimate ->
                assertThat(estimate.toNanos() / 1e9 * sample.bytesPerSecond())
                    .isGreaterThanOrEqualTo(sample.pendingBytes() * 0.999_999));
  }

  @Property
  void aCopyThatKeepsHalvingNeverStalls(@ForAll("rules") Rule rule) {
    History history = History.startingWith(new Sample(START, 1L << 50, 1 << 20, 1, false));
    for (int round = 2; round < 40; round++) {
      Sample next =
          new Sample(
              START.plusSeconds(2L * round),
              history.latest().pendingBytes() / 2,
              1 << 20,
              round,
              false);
      history = history.and(next);
      assertThat(rule.judge(history, Duration.ZERO).outcome())
          .isNotEqualTo(Verdict.Outcome.STALLED);
    }
  }

  @Property
  void aCopyThatNeverGetsBetterEnds(@ForAll("flat") List<Long> noise) {
    Rule rule = new Rule(Duration.ofMillis(1), 0, Duration.ofHours(10));
    History history = History.startingWith(new Sample(START, 1L << 30, 1 << 20, 0, false));
    for (int round = 1; round <= noise.size(); round++) {
      Sample next =
          new Sample(
              START.plusSeconds(round), (1L << 30) + noise.get(round - 1), 1 << 20, round, false);
      history = history.and(next);
    }
    assertThat(rule.judge(history, Duration.ZERO).outcome()).isEqualTo(Verdict.Outcome.STALLED);
  }

  @Provide
  Arbitrary<List<Long>> flat() {
    return Arbitraries.longs()
        .between(0, 1 << 25)
        .list()
        .ofMinSize(Rule.STALL_ROUNDS + 1)
        .ofMaxSize(30);
  }

  @Provide
  Arbitrary<Sample> samples() {
    return Combinators.combine(
            Arbitraries.longs().between(0, Long.MAX_VALUE),
            Arbitraries.longs().between(0, 1L << 40),
            Arbitraries.longs().between(0, 1000),
            Arbitraries.of(true, false))
        .as(
            (pending, rate, rounds, exhausted) ->
                new Sample(START, pending, rate, rounds, exhausted));
  }

  @Provide
  Arbitrary<Rule> rules() {
    return Combinators.combine(
            Arbitraries.longs().between(1, 100_000), Arbitraries.longs().between(0, 1L << 40))
        .as(
            (limit, threshold) ->
                new Rule(Duration.ofMillis(limit), threshold, Duration.ofMinutes(30)));
  }
}
