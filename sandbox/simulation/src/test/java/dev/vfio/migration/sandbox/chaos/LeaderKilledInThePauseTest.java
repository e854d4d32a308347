package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.Handover;
import org.junit.jupiter.api.Test;

/**
 * The leader dies while the workload is paused, and nobody gets its lease for as long as the
 * schedule lasts: the pause does not last as long as the lease.
 */
class LeaderKilledInThePauseTest {
  private static final int SEEDS = 200;

  /** Asking, recording, telling, and what agents do of it: each takes a few milliseconds here. */
  private static final long WAYS_NANOS = 120_000_000;

  private static void assertRunsSoon(World world, String what) {
    long since = world.loop().nanoTime();
    long until = since + Replica.SILENCE_NANOS + WAYS_NANOS;
    while (!world.workloadRuns() && world.loop().nanoTime() < until) {
      world.lives(1);
    }
    assertThat(world.workloadRuns()).as("%s%n%s", what, world.trace()).isTrue();
  }

  @Test
  void whoStandsByCommitsWhatTheLeaderOfWasKilledBeforeTheDecision() {
    int committed = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      World world = new World(seed);
      boolean[] killed = {false};
      world.onceLoaded(
          () -> {
            world.operator().electNobody();
            world.operator().leader().crash();
            killed[0] = true;
          });
      for (int step = 0; step < 20_000 && !killed[0]; step++) {
        world.lives(1);
      }
      if (killed[0]) {
        assertRunsSoon(world, "seed " + seed);
        committed += world.operator().decision() == Handover.COMMITTED ? 1 : 0;
      }
    }
    assertThat(committed).isGreaterThan(SEEDS / 2);
  }

  @Test
  void whoStandsByTellsTheDecisionOfALeaderThatWasKilledAfterIt() {
    int told = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      World world = new World(seed);
      boolean[] killed = {false};
      world.onceCommitted(
          () -> {
            world.operator().electNobody();
            world.operator().leader().crash();
            killed[0] = true;
          });
      for (int step = 0; step < 20_000 && !killed[0]; step++) {
        world.lives(1);
      }
      if (killed[0]) {
        assertRunsSoon(world, "seed " + seed);
        told++;
      }
    }
    assertThat(told).isGreaterThan(SEEDS / 2);
  }
}
