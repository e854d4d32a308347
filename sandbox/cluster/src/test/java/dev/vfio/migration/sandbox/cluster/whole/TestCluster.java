package dev.vfio.migration.sandbox.cluster.whole;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.SandboxNode;
import dev.vfio.migration.sandbox.cluster.link.FaultyLink;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The cluster that every whole-system test of this JVM shares: a start costs seconds, a further
 * pair of devices less than one. Between operator and agents, and between the agents, lie links
 * that a test can break.
 */
final class TestCluster implements AutoCloseable {
  /** Number of the JVM among those that run these tests side by side, from 1. */
  private static final String FORK = System.getProperty("fork", "1");

  static final Duration TIMEOUT = Duration.ofSeconds(180);
  private static final Duration END = Duration.ofSeconds(60);

  private final SandboxCluster cluster;
  private final Map<String, FaultyLink> controlLinks = new HashMap<>();
  private final Map<String, FaultyLink> stateLinks = new HashMap<>();
  private final AtomicInteger scenarios = new AtomicInteger();

  private TestCluster(SandboxCluster cluster) {
    this.cluster = cluster;
  }

  static TestCluster start() throws IOException, InterruptedException {
    Repository repository = Repository.find();
    TestCluster testCluster =
        new TestCluster(
            SandboxCluster.start(
                new ClusterSettings(
                    repository,
                    repository.root().resolve("sandbox/cluster/target/whole-" + FORK),
                    JavaCommand.Tuning.QUICK_START,
                    true,
                    Map.of())));
    try {
      for (String name :
          new String[] {SandboxCluster.SOURCE_NODE, SandboxCluster.DESTINATION_NODE}) {
        SandboxNode node = testCluster.cluster.node(name);
        testCluster.controlLinks.put(name, link(node, SandboxNode.CONTROL_PORT));
        testCluster.stateLinks.put(name, link(node, SandboxNode.STATE_PORT));
      }
      testCluster.cluster.awaitReady();
      return testCluster;
    } catch (IOException | InterruptedException | RuntimeException e) {
      testCluster.close();
      throw e;
    }
  }

  private static FaultyLink link(SandboxNode node, int port) throws IOException {
    return FaultyLink.open(
        new InetSocketAddress(node.advertised(), port),
        new InetSocketAddress(node.address(), port));
  }

  /** A new scenario with a name of its own. */
  Scenario scenario(String name) {
    return new Scenario(this, name + "-" + scenarios.incrementAndGet());
  }

  SandboxCluster cluster() {
    return cluster;
  }

  /** Between the source's agent and the destination's: the state stream. */
  FaultyLink stateLink() {
    return stateLinks.get(SandboxCluster.DESTINATION_NODE);
  }

  RunningProcess agent(String node) {
    return cluster.agent(node);
  }

  void killAgent(String node) {
    cluster.agent(node).kill();
  }

  void restartAgent(String node) throws IOException, InterruptedException {
    cluster.launchAgent(node);
    cluster.awaitAgent(node);
  }

  /** What happens while the operator stands still. */
  @FunctionalInterface
  interface Step {
    void run() throws Exception;
  }

  /** Nothing is decided meanwhile, and what the operator knows of the agents is old. */
  void whileOperatorStandsStill(Step step) throws Exception {
    cluster.operator().suspend();
    try {
      step.run();
    } finally {
      cluster.operator().proceed();
    }
  }

  void killOperator() {
    cluster.operator().kill();
  }

  void restartOperator() throws IOException, InterruptedException {
    cluster.launchOperator();
    cluster.awaitOperator();
  }

  /** After a test that broke something: every link good, every part up. */
  void heal() throws IOException, InterruptedException {
    controlLinks.values().forEach(FaultyLink::restore);
    stateLinks.values().forEach(FaultyLink::restore);
    for (String node : controlLinks.keySet()) {
      if (!cluster.agent(node).alive()) {
        restartAgent(node);
      }
    }
    if (!cluster.operator().alive()) {
      restartOperator();
    }
  }

  /** Ends the agent of that node in order and starts it again. */
  void renewAgent(String node) throws IOException, InterruptedException {
    cluster.agent(node).end(END);
    restartAgent(node);
  }

  /** The same, where it will not be ready, because what it was given is not good. */
  void renewUnreadyAgent(String node) throws IOException, InterruptedException {
    cluster.agent(node).end(END);
    cluster.launchAgent(node);
    cluster.awaitAgentAlive(node);
  }

  @Override
  public void close() throws IOException {
    for (FaultyLink link : controlLinks.values()) {
      link.close();
    }
    for (FaultyLink link : stateLinks.values()) {
      link.close();
    }
    cluster.close();
  }
}
