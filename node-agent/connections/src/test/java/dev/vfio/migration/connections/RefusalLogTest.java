package dev.vfio.migration.connections;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Each reason gets its lines, and no more. */
class RefusalLogTest {
  private final List<String> lines = new ArrayList<>();
  private final List<Runnable> periods = new ArrayList<>();
  private final RefusalLog log =
      new RefusalLog("test", lines::add, (period, task) -> periods.add(task));

  private void endPeriods() {
    List<Runnable> due = List.copyOf(periods);
    periods.clear();
    due.forEach(Runnable::run);
  }

  @Test
  void ofEachReasonAFewLinesAndThenOneWithTheNumber() {
    for (int index = 0; index < 1000; index++) {
      log.refused("late", () -> "late");
    }
    log.refused("crowded", () -> "crowded");
    assertThat(lines).hasSize(RefusalLog.LINES + 1).contains("crowded");
    endPeriods();
    assertThat(lines)
        .hasSize(RefusalLog.LINES + 2)
        .last()
        .isEqualTo(
            "995 more connections to the test port were refused within 30 s (late); no line was"
                + " written for each of them");
    assertThat(periods).as("a quiet port has nothing to do").isEmpty();
    log.refused("late", () -> "late again");
    assertThat(lines).last().isEqualTo("late again");
  }

  @Test
  void allOfThemAreCounted() {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    Metrics.addRegistry(registry);
    try {
      for (int index = 0; index < 20; index++) {
        log.refused("flood", () -> "flood");
      }
      assertThat(
              registry
                  .get("vfio.migration.connections.refused")
                  .tags("port", "test", "reason", "flood")
                  .counter()
                  .count())
          .isEqualTo(20);
    } finally {
      Metrics.removeRegistry(registry);
    }
  }
}
