package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the network does to the state stream never reaches the device or its workload. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class StreamFaultTest {
  private static final long STATE = 16L << 20;
  private static final long HALF = STATE / 2;

  private static Scenario scenario(TestCluster cluster, String name) {
    return cluster.scenario(name).devices(shape -> shape.withState(STATE, 1L << 20));
  }

  @Test
  void a_cut_while_the_workload_runs(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut").startDevices()) {
      cluster.stateLink().cutAfter(HALF);
      scenario.apply().failed("StreamBroken", "node-b");
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  @Test
  void a_cut_while_the_workload_is_paused(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut-paused").cold().startDevices()) {
      cluster.stateLink().cutAfter(HALF);
      scenario.apply().failed("StreamBroken", "node-b");
    }
  }

  @Test
  void a_cut_while_the_destination_loads(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        scenario(cluster, "cut-loading")
            .destinationFault("stall=RESUME_COMPLETED:1500")
            .begin()
            .awaitSourceState("STOPNCOPY")
            .awaitFault(false)) {
      cluster.stateLink().cut();
      scenario.endedSafely();
    }
  }

  @Test
  void a_destination_that_cannot_be_reached(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "unreachable").startDevices()) {
      cluster.stateLink().cut();
      scenario.apply().failed("StreamBroken", "node-b").neverPaused();
    }
  }

  @Test
  void a_flipped_bit(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "bit").startDevices()) {
      cluster.stateLink().flipBitAfter(HALF);
      scenario.apply().failedBecauseOfOneOf("StreamCorrupt", "StreamBroken");
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  @Test
  void a_stream_that_stands_still_for_a_while_goes_on(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "pause").startDevices()) {
      cluster.stateLink().stallAfter(HALF);
      scenario.apply().awaitSourceState("PRECOPY").awaitTrue(() -> !cluster.stateLink().ambushed());
      scenario.neverPaused();
      cluster.stateLink().restore();
      scenario.succeeded();
    }
  }

  @Test
  void a_stream_that_stands_still_for_good_is_given_up(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "stall").startDevices()) {
      cluster.stateLink().stallAfter(HALF);
      scenario.apply().failedBecauseOfOneOf("StreamBroken", "SwitchoverTimedOut", "DidNotConverge");
    }
  }
}
