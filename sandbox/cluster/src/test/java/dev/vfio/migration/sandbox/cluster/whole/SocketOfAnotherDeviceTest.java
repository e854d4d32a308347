package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A migration touches the workload and the device of its own device alone, whatever a tenant puts
 * in the place of a socket.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class SocketOfAnotherDeviceTest {
  private static final int TENANT = 64001;

  private enum Means {
    LINK("a link is in the way") {
      @Override
      void make(Path at, Path target) throws Exception {
        Files.createSymbolicLink(at, target);
      }
    },
    /** Of the same user, so that only the name of the device distinguishes them. */
    HARD_LINK("names \"victim") {
      @Override
      void make(Path at, Path target) throws Exception {
        Files.createLink(at, target);
      }
    };

    private final String words;

    Means(String words) {
      this.words = words;
    }

    abstract void make(Path at, Path target) throws Exception;
  }

  private static void runsUntouched(Scenario victim) throws Exception {
    victim.neverPaused().untouched();
    assertThat(victim.pair().source().console().verify().ok()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {SOURCE_NODE, DESTINATION_NODE})
  void aLinkToTheWorkloadOfAnotherTenantIsNotFollowed(String node, TestCluster cluster)
      throws Exception {
    refused(Means.LINK, node, cluster);
  }

  @ParameterizedTest
  @ValueSource(strings = {SOURCE_NODE, DESTINATION_NODE})
  void aHardLinkToTheWorkloadOfAnotherTenantIsRefused(String node, TestCluster cluster)
      throws Exception {
    refused(Means.HARD_LINK, node, cluster);
  }

  private static void refused(Means means, String nodeName, TestCluster cluster) throws Exception {
    try (Scenario victim = cluster.scenario("victim").startDevices();
        Scenario attacker = cluster.scenario("attacker").startDevices()) {
      Path socket = workloadSocket(cluster, nodeName, attacker);
      Files.delete(socket);
      means.make(socket, workloadSocket(cluster, nodeName, victim));
      attacker
          .apply()
          .failed("WorkloadUnreachable", socket.toString(), means.words, attacker.name())
          .untouched();
      runsUntouched(victim);
    }
  }

  private static Path workloadSocket(TestCluster cluster, String node, Scenario scenario) {
    return cluster.cluster().node(node).folder(scenario.name()).resolve("workload.sock");
  }

  @Test
  void aLinkToTheDeviceOfAnotherTenantIsNotFollowed(TestCluster cluster) throws Exception {
    try (Scenario victim = cluster.scenario("victim").startDevices();
        Scenario attacker = cluster.scenario("attacker").startDevices()) {
      Path folder = cluster.cluster().node(SOURCE_NODE).folder(attacker.name());
      Path socket = folder.resolve("device.sock");
      Files.delete(socket);
      Files.createSymbolicLink(socket, Path.of("..", victim.name(), "device.sock"));
      attacker
          .apply()
          .failed("DeviceUnreachable", attacker.name(), socket.toString(), "a link is in the way")
          .untouched();
      runsUntouched(victim);
    }
  }

  @Test
  void aDeviceWhoseFolderBelongsToAnotherUserIsRefused(TestCluster cluster) throws Exception {
    Assumptions.assumeTrue(
        "root".equals(System.getProperty("user.name")), "only root can give a folder away");
    try (Scenario scenario = cluster.scenario("users").startDevices()) {
      Path folder = cluster.cluster().node(SOURCE_NODE).folder(scenario.name());
      Files.setAttribute(folder, "unix:uid", TENANT);
      scenario
          .apply()
          .failed(
              "DeviceUnreachable",
              folder.resolve("device.sock").toString(),
              "belongs to user 0 and the folder it is in to user 64001")
          .untouched();
    }
  }
}
