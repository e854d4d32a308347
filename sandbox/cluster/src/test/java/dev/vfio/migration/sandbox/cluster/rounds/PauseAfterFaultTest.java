package dev.vfio.migration.sandbox.cluster.rounds;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import java.util.List;
import org.junit.jupiter.api.Test;

class PauseAfterFaultTest {
  private static final PauseAfterFault AT_100 = new PauseAfterFault(100);

  private static DeviceEvent event(long nanos, String kind, String to) {
    return new DeviceEvent(
        nanos, "node", "gpu", kind, JsonNodeFactory.instance.objectNode().put("to", to));
  }

  private static List<DeviceEvent> workload(long pausedAt) {
    return List.of(event(1, "workload", "running"), event(pausedAt, "workload", "paused"));
  }

  @Test
  void aPauseCountsFromTheFaultUntilTheDestinationRuns() {
    assertThat(AT_100.nanos(workload(50), List.of(event(140, "state", "RUNNING")))).hasValue(40);
  }

  @Test
  void aPauseThatBeganAfterTheFaultIsNotOfIt() {
    assertThat(AT_100.nanos(workload(120), List.of(event(140, "state", "RUNNING")))).isEmpty();
  }

  @Test
  void aDestinationThatRanBeforeTheFaultPaidNothing() {
    assertThat(AT_100.nanos(workload(50), List.of(event(90, "state", "RUNNING")))).isEmpty();
  }

  @Test
  void theSummaryHasMedianAndMaximum() {
    assertThat(PauseAfterFault.summary(List.of(9_000_000L, 1_000_000L, 3_000_000L)))
        .endsWith("rounds=3 median_ms=3 max_ms=9");
  }
}
