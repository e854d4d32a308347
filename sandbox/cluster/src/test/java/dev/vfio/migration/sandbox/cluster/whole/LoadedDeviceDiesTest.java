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

  private Scenario loaded(TestCluster cluster, String name) throws Exception {
    Scenario scenario =
        cluster
            .scenario(name)
            .destinationFault("stall=RESUME_COMPLETED:1000")
            .begin()
            .awaitFault(false);
    cluster.cluster().operator().suspend();
    awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_LOADED");
    awaitSaid(scenario, cluster.agent(SOURCE_NODE), "SOURCE_AWAITING_DECISION");
    return scenario;
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
    try (Scenario scenario = loaded(cluster, "dies-late")) {
      try {
        scenario.pair().destination().process().kill();
      } finally {
        cluster.cluster().operator().proceed();
      }

      failedBeforeTheDecision(scenario);
    }
  }

  @Test
  void itsAgentNoticesThatByItself(TestCluster cluster) throws Exception {
    try (Scenario scenario = loaded(cluster, "dies")) {
      try {
        scenario.pair().destination().process().kill();
        awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_STRANDED");
      } finally {
        cluster.cluster().operator().proceed();
      }

      failedBeforeTheDecision(scenario);
    }
  }

  @Test
  void anAgentThatCameBackWatchesAsWell(TestCluster cluster) throws Exception {
    try (Scenario scenario = loaded(cluster, "dies-later")) {
      try {
        cluster.killAgent(DESTINATION_NODE);
        cluster.restartAgent(DESTINATION_NODE);
        awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "recovered from the journal");
        scenario.pair().destination().process().kill();
        awaitSaid(scenario, cluster.agent(DESTINATION_NODE), "DESTINATION_STRANDED");
      } finally {
        cluster.cluster().operator().proceed();
      }

      failedBeforeTheDecision(scenario);
    }
  }

  @Test
  void hanging(TestCluster cluster) throws Exception {
    try (Scenario scenario = loaded(cluster, "hangs")) {
      RunningProcess device = scenario.pair().destination().process();
      try {
        device.suspend();
      } finally {
        cluster.cluster().operator().proceed();
      }
      scenario.awaitTrue(
          () -> scenario.object().at("/status/handover").asText().equals("RolledBack"));
      device.proceed();

      failedBeforeTheDecision(scenario);
      scenario.awaitDestinationState("NONE");
    }
  }
}
