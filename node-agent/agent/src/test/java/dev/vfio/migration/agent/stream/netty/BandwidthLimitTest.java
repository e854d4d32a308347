package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.generators.Seeds;
import org.junit.jupiter.api.Test;

/** No more goes out than the limit allows, and a chunk is never stuck. */
class BandwidthLimitTest {
  private static final long SECOND = 1_000_000_000L;

  private long now = 1234;

  @Test
  void theLimitHoldsOverAnyTime() {
    Seeds.check(
        1000,
        values -> {
          long rate = values.number(1, 1L << 33);
          BandwidthLimit limit = new BandwidthLimit(rate, () -> now);
          long begin = now;
          long allBefore = 0;
          for (int chunk : values.list(1, 50, () -> values.integer(1, 1 << 20))) {
            for (long delay = limit.delayNanos(); delay > 0; delay = limit.delayNanos()) {
              now += delay;
            }
            double allowed = (now - begin) / (double) SECOND * rate;
            assertThat((double) allBefore).isLessThanOrEqualTo(allowed * 1.000001 + 1);
            limit.spend(chunk);
            allBefore += chunk;
          }
          now = 1234;
        });
  }

  @Test
  void aChunkGoesOutAsSoonAsTheOnesBeforeArePaidFor() {
    BandwidthLimit limit = new BandwidthLimit(1000, () -> now);
    assertThat(limit.delayNanos()).isZero();
    limit.spend(3000);
    assertThat(limit.delayNanos()).isEqualTo(3 * SECOND);
    now += SECOND;
    assertThat(limit.delayNanos()).isEqualTo(2 * SECOND);
    now += 2 * SECOND;
    assertThat(limit.delayNanos()).isZero();
  }

  @Test
  void whatWasNotUsedIsKeptForATenthOfASecond() {
    BandwidthLimit limit = new BandwidthLimit(1000, () -> now);
    now += 3600 * SECOND;
    assertThat(limit.delayNanos()).isZero();
    limit.spend(100);
    assertThat(limit.delayNanos()).isZero();
    limit.spend(1);
    assertThat(limit.delayNanos()).isPositive();
  }

  @Test
  void liftedMeansAtOnce() {
    BandwidthLimit limit = new BandwidthLimit(1, () -> now);
    limit.spend(1 << 30);
    assertThat(limit.delayNanos()).isPositive();
    limit.lift();
    assertThat(limit.delayNanos()).isZero();
  }

  @Test
  void zeroIsNoLimit() {
    BandwidthLimit limit = new BandwidthLimit(0, () -> now);
    limit.spend(Long.MAX_VALUE);
    assertThat(limit.delayNanos()).isZero();
    assertThatThrownBy(() -> new BandwidthLimit(-1, () -> now)).hasMessageContaining("-1");
  }
}
