package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.SandboxNode;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.pki.CertificateAuthority;
import dev.vfio.migration.sandbox.cluster.pki.Identity;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What cannot be done is refused with its reason before anything is touched. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class AdmissionTest {
  private static final Map<String, Object> SOON = Map.of("validating", "2s", "preparing", "5s");

  @Test
  void aNamespaceThatTheAdministratorDidNotListIsRefused(TestCluster cluster) throws Exception {
    try (Scenario tenants = cluster.scenario("tenants").namespace("tenant").begin();
        Scenario allowed = tenants.again("allowed")) {
      tenants.failed("NamespaceNotAllowed", "tenant", "allowed: default").untouched();

      allowed.apply().succeeded();
    }
  }

  @Test
  void anUnknownNodeIsRefused(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("no-node")) {
      scenario
          .spec(
              "destination", Map.of("nodeName", "node-z", "device", "vfio-user:" + scenario.name()))
          .spec("timeouts", SOON)
          .begin()
          .failed("UnknownNode", "node-z")
          .untouched();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"source", "destination"})
  void anUnknownDeviceIsRefused(String side, TestCluster cluster) throws Exception {
    String node = side.equals("source") ? SOURCE_NODE : DESTINATION_NODE;
    try (Scenario scenario = cluster.scenario("no-device")) {
      scenario
          .spec(side, Map.of("nodeName", node, "device", "vfio-user:nothing"))
          .begin()
          .failed("UnknownDevice", "vfio-user:nothing", node)
          .untouched();
    }
  }

  @Test
  void aDeviceWithoutAMigrationRegionIsRefused(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("no-region").destinationFault("no-migration-region").begin()) {
      scenario.failed("NoMigrationRegion", scenario.name(), DESTINATION_NODE).untouched();
    }
  }

  @Test
  void devicesOfDifferentModelsAreRefused(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("models")
            .destination(shape -> shape.withOption("--model", "10de:20b5:10de:1533"))
            .begin()) {
      scenario.failed("IncompatibleDevice", "10de:20b5:10de:1533").untouched();
    }
  }

  @Test
  void workloadsWithDifferentWindowsAreRefused(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("windows").destination(shape -> shape.withMemory(2 << 20, 0)).begin()) {
      scenario.failed("IncompatibleDevice", "ring").untouched();
    }
  }

  /** Such a device is RUNNING, and so is one that is free: its workload makes the difference. */
  @Test
  void aDeviceThatAWorkloadUsesAtTheDestinationIsRefused(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("in-use").busyDestination().begin()) {
      scenario.awaitPhase("Failed");
      MigrationView.Condition condition = scenario.view().condition("Succeeded").orElseThrow();
      assertThat(condition.reason()).isEqualTo("DeviceBusy");
      assertThat(scenario.cause()).contains(scenario.name(), "running");
      for (LaunchedDevice device :
          List.of(scenario.pair().source(), scenario.pair().destination())) {
        assertThat(scenario.states(device)).containsExactly("RUNNING");
        assertThat(device.console().status().path("workload").asText()).isEqualTo("running");
        assertThat(device.console().verify().ok()).isTrue();
      }
    }
  }

  @Test
  void aDeviceThatHasBeenMovedAwayIsRefused(TestCluster cluster) throws Exception {
    try (Scenario moved = cluster.scenario("moved").begin().succeeded();
        Scenario again = moved.again("again").apply()) {
      again.awaitPhase("Failed");
      assertThat(again.view().condition("Succeeded").orElseThrow().reason())
          .isEqualTo("DeviceBusy");
      moved.runsOnAt(moved.pair().destination());
    }
  }

  @Test
  void theSameDeviceOnBothEndsIsRefusedByTheApiServer(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("same")) {
      scenario
          .spec(
              "destination",
              Map.of("nodeName", SOURCE_NODE, "device", "vfio-user:" + scenario.name()))
          .startDevices();

      assertThatThrownBy(scenario::apply)
          .isInstanceOf(KubernetesClientException.class)
          .hasMessageContaining("a device cannot be migrated onto itself");
      scenario.untouched();
    }
  }

  @Test
  void absurdNumbersAreRefusedByTheApiServer(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("absurd")) {
      scenario.spec("transfer", Map.of("bandwidthLimit", -1, "streams", 0)).startDevices();

      assertThatThrownBy(scenario::apply)
          .isInstanceOf(KubernetesClientException.class)
          .hasMessageContaining("bandwidthLimit")
          .hasMessageContaining("streams");
      scenario.untouched();
    }
  }

  @Test
  void theSecondMigrationOfADeviceWaitsAndSaysForWhom(TestCluster cluster) throws Exception {
    try (Scenario first = cluster.scenario("first").manual().begin().awaitSourceState("PRECOPY");
        Scenario second = first.again("second").apply()) {
      second.awaitCondition("Validated", "Unknown", "WaitingForDevice");
      assertThat(second.view().phase()).isEqualTo("Pending");
      assertThat(second.view().condition("Validated").orElseThrow().message())
          .contains("default/" + first.name());

      first.cancel().cancelled();
      second.succeeded();
    }
  }

  @Test
  void anAgentThatStaysDownFailsTheMigration(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("down").spec("timeouts", SOON).startDevices()) {
      cluster.killAgent(DESTINATION_NODE);
      scenario.apply().failed("AgentUnavailable", DESTINATION_NODE).untouched();
    }
  }

  @Test
  void anAgentThatComesUpLateIsWaitedFor(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("late").startDevices()) {
      cluster.killAgent(SOURCE_NODE);
      scenario.apply().awaitCondition("Validated", "False", "AgentUnavailable");
      cluster.restartAgent(SOURCE_NODE);

      scenario.succeeded();
    }
  }

  @Test
  void anAgentWithAnExpiredCertificateIsNotTrusted(TestCluster cluster) throws Exception {
    Identity expired = cluster.cluster().authority().expiredAgent(DESTINATION_NODE);
    refused(cluster, "expired", expired);
  }

  @Test
  void anAgentWithACertificateOfAnotherAuthorityIsNotTrusted(TestCluster cluster) throws Exception {
    Identity strange =
        CertificateAuthority.create("sandbox cluster")
            .agent(DESTINATION_NODE)
            .trusting(cluster.cluster().authority().certificate());
    refused(cluster, "strange", strange);
  }

  @Test
  void anAgentWithTheCertificateOfAnotherNodeIsNotTrusted(TestCluster cluster) throws Exception {
    refused(cluster, "other-node", cluster.cluster().authority().agent(SOURCE_NODE));
  }

  private static void refused(TestCluster cluster, String name, Identity identity)
      throws Exception {
    SandboxNode node = cluster.cluster().node(DESTINATION_NODE);
    try (Scenario scenario = cluster.scenario(name).startDevices()) {
      identity.writeTo(node.tls());
      cluster.renewUnreadyAgent(DESTINATION_NODE);
      scenario
          .apply()
          .awaitCondition("Validated", "False", "AgentUnavailable")
          .awaitTrue(
              () ->
                  scenario
                      .view()
                      .condition("Validated")
                      .filter(condition -> condition.message().contains("certificate"))
                      .isPresent());
      assertThat(scenario.view().condition("Validated").orElseThrow().message())
          .contains(DESTINATION_NODE);
      scenario.cancel().awaitPhase("Cancelled").untouched();
    } finally {
      cluster.cluster().authority().agent(DESTINATION_NODE).writeTo(node.tls());
      cluster.renewAgent(DESTINATION_NODE);
    }
  }
}
