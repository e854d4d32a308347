package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A destination that said that it holds everything, and whose device's server died or hangs before
 * the decision, is never committed: the workload runs on at the source with every step and byte.
 *
 * <p>The operator stands still meanwhile, so that what it knows of the destination is old.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class LoadedDeviceDiesTest {

  /** What happens to the loaded device before the decision. */
  @FunctionalInterface
  private interface Event {
    void happens(Scenario scenario) throws Exception;
  }

  private static void rolledBackAfter(TestCluster cluster, String name, Event event)
      throws Exception {
    try (Scenario scenario = cluster.scenario(name).beginToLoad()) {
      whileLoaded(cluster, scenario, () -> event.happens(scenario));

      failedBeforeTheDecision(scenario);
    }
  }

  private static void whileLoaded(TestCluster cluster, Scenario scenario, TestCluster.Step step)
      throws Exception {
    cluster.whileOperatorStandsStill(
        () -> {
          scenario.awaitSaid(DESTINATION_NODE, "DESTINATION_LOADED");
          scenario.awaitSaid(SOURCE_NODE, "SOURCE_AWAITING_DECISION");
          step.run();
        });
  }

  private static void failedBeforeTheDecision(Scenario scenario) throws IOException {
    scenario.failed("DeviceUnreachable", DESTINATION_NODE, scenario.name());
    assertThat(scenario.object().at("/status/handover").asText()).isEqualTo("RolledBack");
    assertThat(scenario.view().condition("Succeeded").orElseThrow().message())
        .doesNotContain("still in the device", "To be done: reset");
  }

  @Test
  void killedAtTheLastMoment(TestCluster cluster) throws Exception {
    rolledBackAfter(
        cluster, "dies-late", scenario -> scenario.pair().destination().process().kill());
  }

  @Test
  void itsAgentNoticesThatByItself(TestCluster cluster) throws Exception {
    rolledBackAfter(
        cluster,
        "dies",
        scenario -> {
          scenario.pair().destination().process().kill();
          scenario.awaitSaid(DESTINATION_NODE, "DESTINATION_STRANDED");
        });
  }

  @Test
  void anAgentThatCameBackWatchesAsWell(TestCluster cluster) throws Exception {
    rolledBackAfter(
        cluster,
        "dies-later",
        scenario -> {
          cluster.killAgent(DESTINATION_NODE);
          cluster.restartAgent(DESTINATION_NODE);
          scenario.awaitSaid(DESTINATION_NODE, "recovered from the journal");
          scenario.pair().destination().process().kill();
          scenario.awaitSaid(DESTINATION_NODE, "DESTINATION_STRANDED");
        });
  }

  @Test
  void hanging(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("hangs").beginToLoad()) {
      RunningProcess device = scenario.pair().destination().process();
      whileLoaded(cluster, scenario, device::suspend);
      scenario.awaitTrue(
          () -> scenario.object().at("/status/handover").asText().equals("RolledBack"));
      device.proceed();

      failedBeforeTheDecision(scenario);
      scenario.awaitDestinationState("NONE");
    }
  }
}
