package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;

/** The fencing number rises with each leader, also where the lease is made anew. */
class LeaseFencingTest {
  private static final Instant CREATED = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void risesWithEachLeader() {
    assertThat(LeaseFencing.number(CREATED, 1)).isGreaterThan(LeaseFencing.number(CREATED, 0));
    assertThat(LeaseFencing.number(CREATED, 0)).isPositive();
  }

  @Test
  void aLeaseThatIsMadeAnewRisesAboveEveryLeaderOfTheOldOne() {
    assertThat(LeaseFencing.number(CREATED.plusSeconds(1), 0))
        .isGreaterThan(LeaseFencing.number(CREATED, 1_000_000))
        .isGreaterThan(LeaseFencing.number(CREATED, Integer.MAX_VALUE));
  }
}
