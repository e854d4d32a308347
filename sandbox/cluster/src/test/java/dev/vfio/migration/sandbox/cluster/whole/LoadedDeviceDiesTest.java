package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import java.io.IOException;
import java.nio.file.Files;
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
          awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_LOADED");
          awaitSaid(scenario, cluster.agent(SOURCE_NODE), "SOURCE_AWAITING_DECISION");
          step.run();
        });
  }

  private static void awaitSaid(Scenario scenario, RunningProcess agent, String words) {
    scenario.awaitTrue(() -> said(scenario, agent, words));
  }

  private static boolean said(Scenario scenario, RunningProcess agent, String words)
      throws IOException {
    return Files.readAllLines(agent.log()).stream()
        .anyMatch(line -> line.contains(scenario.name()) && line.contains(words));
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
          awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_STRANDED");
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
          awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "recovered from the journal");
          scenario.pair().destination().process().kill();
          awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_STRANDED");
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
