package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.BeforeTry;

/** No more goes out than the limit allows, and a chunk is never stuck. */
class BandwidthLimitTest {
  private static final long SECOND = 1_000_000_000L;

  private long now;

  @BeforeTry
  void anyTimeButZero() {
    now = 1234;
  }

  @Property
  void theLimitHoldsOverAnyTime(
      @ForAll @LongRange(min = 1, max = 1L << 33) long rate,
      @ForAll @Size(min = 1, max = 50) List<@IntRange(min = 1, max = 1 << 20) Integer> chunks) {
    BandwidthLimit limit = new BandwidthLimit(rate, () -> now);
    long begin = now;
    long allBefore = 0;
    for (int chunk : chunks) {
      for (long delay = limit.delayNanos(); delay > 0; delay = limit.delayNanos()) {
        now += delay;
      }
      double allowed = (now - begin) / (double) SECOND * rate;
      assertThat((double) allBefore).isLessThanOrEqualTo(allowed * 1.000001 + 1);
      limit.spend(chunk);
      allBefore += chunk;
    }
  }

  @Example
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

  @Example
  void whatWasNotUsedIsKeptForATenthOfASecond() {
    BandwidthLimit limit = new BandwidthLimit(1000, () -> now);
    now += 3600 * SECOND;
    assertThat(limit.delayNanos()).isZero();
    limit.spend(100);
    assertThat(limit.delayNanos()).isZero();
    limit.spend(1);
    assertThat(limit.delayNanos()).isPositive();
  }

  @Example
  void liftedMeansAtOnce() {
    BandwidthLimit limit = new BandwidthLimit(1, () -> now);
    limit.spend(1 << 30);
    assertThat(limit.delayNanos()).isPositive();
    limit.lift();
    assertThat(limit.delayNanos()).isZero();
  }

  @Example
  void zeroIsNoLimit() {
    BandwidthLimit limit = new BandwidthLimit(0, () -> now);
    limit.spend(Long.MAX_VALUE);
    assertThat(limit.delayNanos()).isZero();
    assertThatThrownBy(() -> new BandwidthLimit(-1, () -> now)).hasMessageContaining("-1");
  }
}
