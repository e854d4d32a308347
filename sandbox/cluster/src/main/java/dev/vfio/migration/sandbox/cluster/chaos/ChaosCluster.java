package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.ControlPlane;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.SandboxNode;
import dev.vfio.migration.sandbox.cluster.link.FaultyLink;
import dev.vfio.migration.sandbox.cluster.process.FileTree;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The cluster that the rounds use, one after the other, with a link before each port that a fault
 * can cut: those of both agents, and the API server's as the operator sees it. One pair of devices
 * is moved there and back. Used by one thread.
 */
final class ChaosCluster implements AutoCloseable {
  private static final List<String> NODES =
      List.of(SandboxCluster.SOURCE_NODE, SandboxCluster.DESTINATION_NODE);

  private final SandboxCluster cluster;
  private final Operators operators;
  private final Map<String, FaultyLink> controlLinks = new HashMap<>();
  private final Map<String, FaultyLink> stateLinks = new HashMap<>();
  private FaultyLink apiLink;
  private int pairs;
  private MovingDevice source;
  private MovingDevice destination;

  private ChaosCluster(SandboxCluster cluster, Operators operators) {
    this.cluster = cluster;
    this.operators = operators;
  }

  /** Starts everything, and returns when every part is ready. */
  static ChaosCluster start(Path work, Operators operators)
      throws IOException, InterruptedException {
    Map<String, String> settings = new HashMap<>(operators.settings());
    Path kubeconfig = work.resolve("kubeconfig-of-operator").toAbsolutePath();
    settings.put("KUBECONFIG", kubeconfig.toString());
    ChaosCluster chaos =
        new ChaosCluster(
            SandboxCluster.start(
                new ClusterSettings(
                    Repository.find(), work, JavaCommand.Tuning.QUICK_START, true, settings)),
            operators);
    try {
      chaos.openLinks(kubeconfig);
      chaos.launchPair();
      chaos.cluster.awaitReady();
      for (int replica = 1; replica < operators.count(); replica++) {
        chaos.cluster.launchOperator(replica, Map.of());
        chaos.cluster.awaitOperator(replica);
      }
      chaos.awaitPair();
      return chaos;
    } catch (IOException | InterruptedException | RuntimeException e) {
      chaos.close();
      throw e;
    }
  }

  private void openLinks(Path kubeconfig) throws IOException {
    for (String name : NODES) {
      SandboxNode node = cluster.node(name);
      controlLinks.put(name, link(node, SandboxNode.CONTROL_PORT));
      stateLinks.put(name, link(node, SandboxNode.STATE_PORT));
    }
    InetSocketAddress server = cluster.apiServerAddress();
    apiLink =
        FaultyLink.open(new InetSocketAddress(server.getAddress(), server.getPort() + 1), server);
    ControlPlane.writeKubeconfig(kubeconfig, apiLink.address());
  }

  private static FaultyLink link(SandboxNode node, int port) throws IOException {
    return FaultyLink.open(
        new InetSocketAddress(node.advertised(), port),
        new InetSocketAddress(node.address(), port));
  }

  private void launchPair() throws IOException {
    pairs++;
    DeviceShape shape = DeviceShape.small("gpu-" + pairs);
    source = MovingDevice.launch(cluster, SandboxCluster.SOURCE_NODE, shape, true);
    destination = MovingDevice.launch(cluster, SandboxCluster.DESTINATION_NODE, shape, false);
  }

  private void awaitPair() throws IOException, InterruptedException {
    source.await();
    destination.await();
  }

  SandboxCluster cluster() {
    return cluster;
  }

  /** The replica of the operator that leads; the one there is where there is no other. */
  int leader() throws IOException {
    return operators.count() == 1 ? 0 : cluster.leader();
  }

  /** SIGSTOP to every replica of the operator. */
  void suspendOperators() throws IOException, InterruptedException {
    for (int replica = 0; replica < operators.count(); replica++) {
      cluster.operator(replica).suspend();
    }
  }

  /** SIGCONT to every replica that does not lead, and to the leader where it is to go on. */
  void proceedOperators(int leader, boolean leaderToo) throws IOException, InterruptedException {
    for (int replica = 0; replica < operators.count(); replica++) {
      if (replica != leader || leaderToo) {
        cluster.operator(replica).proceed();
      }
    }
  }

  /** The device whose workload runs when a round begins. */
  MovingDevice source() {
    return source;
  }

  /** The device that waits when a round begins. */
  MovingDevice destination() {
    return destination;
  }

  /** Between the operator and the agent of that node. */
  FaultyLink controlLink(String node) {
    return controlLinks.get(node);
  }

  /** Between the source's agent and the destination's. */
  FaultyLink stateLink() {
    return stateLinks.get(destination.node());
  }

  /** Between the operator and the API server. */
  FaultyLink apiLink() {
    return apiLink;
  }

  /**
   * After a round: the device that runs is the next source; a pair that is not clean is renewed.
   */
  void prepareNext() throws IOException, InterruptedException {
    source.console().clearFaults();
    destination.console().clearFaults();
    if (destination.runs() && source.waits()) {
      MovingDevice moved = destination;
      destination = source;
      source = moved;
    } else if (!source.runs() || !destination.waits()) {
      source.end();
      destination.end();
      launchPair();
      awaitPair();
    }
  }

  /** Copies every log, journal included, for people to read. */
  Path keepLogs(Path folder) throws IOException {
    Path work = cluster.logs().getParent();
    for (String kept : List.of("logs", "journal")) {
      FileTree.copy(work.resolve(kept), folder.resolve(kept));
    }
    return folder;
  }

  @Override
  public void close() throws IOException {
    for (FaultyLink link : controlLinks.values()) {
      link.close();
    }
    for (FaultyLink link : stateLinks.values()) {
      link.close();
    }
    if (apiLink != null) {
      apiLink.close();
    }
    cluster.close();
  }
}
