package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the network does to the state stream never reaches the device or its workload. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class StreamFaultTest {
  private static final long STATE = 16L << 20;
  private static final long HALF = STATE / 2;
  private static final Duration A_SECOND = Duration.ofSeconds(1);

  private static Scenario scenario(TestCluster cluster, String name) {
    return cluster.scenario(name).devices(shape -> shape.withState(STATE, 1L << 20));
  }

  @Test
  void aCutWhileTheWorkloadRuns(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut").startDevices()) {
      cluster.stateLink().cutAfter(HALF);
      scenario.apply().failed("StreamBroken", "node-b");
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  /** Shorter than agent.stream-resume-time. */
  @Test
  void aCutOfASecondWhileTheWorkloadRunsIsMended(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut-second").startDevices()) {
      cluster.stateLink().cutAfter(HALF, A_SECOND);
      scenario.apply().succeeded();
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  /** Shorter than agent.paused-stream-resume-time. */
  @Test
  void aCutOfASecondWhileTheWorkloadIsPausedIsMended(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut-second-paused").cold().startDevices()) {
      cluster.stateLink().cutAfter(HALF, A_SECOND);
      scenario.apply().succeeded();
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  @Test
  void aCutWhileTheWorkloadIsPaused(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "cut-paused").cold().startDevices()) {
      cluster.stateLink().cutAfter(HALF);
      scenario.apply().failed("StreamBroken", "node-b");
    }
  }

  @Test
  void aCutWhileTheDestinationLoads(TestCluster cluster) throws Exception {
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
  void aDestinationThatCannotBeReached(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "unreachable").startDevices()) {
      cluster.stateLink().cut();
      scenario.apply().failed("StreamBroken", "node-b").neverPaused();
    }
  }

  @Test
  void aFlippedBit(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "bit").startDevices()) {
      cluster.stateLink().flipBitAfter(HALF);
      scenario.apply().failedBecauseOfOneOf("StreamCorrupt", "StreamBroken");
      assertThat(cluster.stateLink().ambushed()).isFalse();
    }
  }

  @Test
  void aStreamThatStandsStillForAWhileGoesOn(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "pause").startDevices()) {
      cluster.stateLink().stallAfter(HALF);
      scenario.apply().awaitSourceState("PRECOPY").awaitTrue(() -> !cluster.stateLink().ambushed());
      scenario.neverPaused();
      cluster.stateLink().restore();
      scenario.succeeded();
    }
  }

  @Test
  void aStreamThatStandsStillForGoodIsGivenUp(TestCluster cluster) throws Exception {
    try (Scenario scenario = scenario(cluster, "stall").startDevices()) {
      cluster.stateLink().stallAfter(HALF);
      scenario.apply().failedBecauseOfOneOf("StreamBroken", "SwitchoverTimedOut", "DidNotConverge");
    }
  }
}
