package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.ControlPlane;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.link.FaultyLink;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Two replicas of the operator, and the one that leads dies while the workload stands still: the
 * other ends the pause, and does not wait for the lease. It could not have it: by its settings it
 * asks for it once, at its start, and not again while a test lasts.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class LeaderDiesInThePauseTest {
  private static final int LEADER = 0;
  private static final int STANDBY = 1;
  private static final Duration END = Duration.ofSeconds(5);

  private static final Map<String, String> NEVER_LEADS =
      Map.of(
          "OPERATOR_LEASE_DURATION", "3600s",
          "OPERATOR_LEASE_RENEW_DEADLINE", "3000s",
          "OPERATOR_LEASE_RETRY_PERIOD", "1000s");

  /** Longer than a test holds it: it is let go before. */
  private static final String LOADS_SLOWLY = "stall=RESUME_COMPLETED:600000";

  private SandboxCluster cluster;

  @BeforeEach
  void startStandby(TestCluster test) throws Exception {
    cluster = test.cluster();
    cluster.launchOperator(STANDBY, NEVER_LEADS);
    cluster.awaitOperator(STANDBY);
  }

  @AfterEach
  void endStandby() {
    cluster.operator(STANDBY).kill();
  }

  /** Both agents wait for the decision, and both replicas stand still. */
  private Scenario heldLoaded(TestCluster test) throws Exception {
    Scenario scenario = heldLoading(test);
    cluster.operator(LEADER).suspend();
    cluster.operator(STANDBY).suspend();
    scenario.pair().destination().console().clearFaults();
    scenario.awaitSaid(SandboxCluster.DESTINATION_NODE, "DESTINATION_LOADED");
    scenario.awaitSaid(SandboxCluster.SOURCE_NODE, "SOURCE_AWAITING_DECISION");
    assertThat(cluster.leader()).isEqualTo(LEADER);
    return scenario;
  }

  /** Everything was sent, and the destination's device takes its time. */
  private static Scenario heldLoading(TestCluster test) throws Exception {
    return test.scenario("takeover").destinationFault(LOADS_SLOWLY).begin().awaitFault(false);
  }

  /** The other replica goes on, and the pause ends under the lease of the one that does not. */
  private void standbyEndsThePause(Scenario scenario) throws Exception {
    String holder = cluster.leaseHolder();
    cluster.operator(STANDBY).proceed();
    scenario.awaitDestinationState("RUNNING");
    assertThat(cluster.leaseHolder())
        .as("holder of the lease, which no other replica took")
        .isEqualTo(holder);
    assertThat(scenario.object().at("/status/handover").asText()).isEqualTo("Committed");
    assertThat(scenario.states(scenario.pair().source()))
        .as("the source's release is left to the next leader")
        .doesNotContain("SAVE_COMPLETED");
  }

  @Test
  void aLeaderKilledBeforeTheDecisionIsReplacedUnderItsLease(TestCluster test) throws Exception {
    try (Scenario scenario = heldLoaded(test)) {
      cluster.operator(LEADER).kill();
      standbyEndsThePause(scenario);

      test.restartOperator();
      scenario.succeeded();
    }
  }

  @Test
  void aLeaderKilledBetweenTheDecisionAndItsCommandIsReplacedUnderItsLease(TestCluster test)
      throws Exception {
    cluster.operator(LEADER).end(END);
    InetSocketAddress server = cluster.apiServerAddress();
    try (FaultyLink link = FaultyLink.open(new InetSocketAddress(server.getAddress(), 0), server)) {
      link.holdAnswersAfter("\"handover\":\"Committed\"");
      Path kubeconfig =
          ControlPlane.writeKubeconfig(
              cluster.logs().resolveSibling("kubeconfig-of-leader"), link.address());
      cluster.launchOperator(LEADER, Map.of("KUBECONFIG", kubeconfig.toString()));
      cluster.awaitOperator(LEADER);
      try (Scenario scenario = heldLoading(test)) {
        cluster.operator(STANDBY).suspend();
        scenario.pair().destination().console().clearFaults();
        scenario.awaitTrue(
            () -> scenario.object().at("/status/handover").asText().equals("Committed"));
        assertThat(link.holdsAnswers()).as("it hears nothing of its own decision").isTrue();
        cluster.operator(LEADER).kill();
        assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
        standbyEndsThePause(scenario);

        test.restartOperator();
        scenario.succeeded();
      }
    }
  }

  @Test
  void aLeaderThatStoodStillInThePauseDoesNoHarmAfterwards(TestCluster test) throws Exception {
    try (Scenario scenario = heldLoaded(test)) {
      standbyEndsThePause(scenario);
      cluster.operator(LEADER).proceed();
      // It goes on as the leader, or ends because it could not renew its lease in time.
      scenario.awaitTrue(
          () -> !cluster.operator(LEADER).alive() || scenario.view().phase().equals("Succeeded"));
      if (!cluster.operator(LEADER).alive()) {
        test.restartOperator();
      }
      scenario.succeeded();
    }
  }
}
