package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.console.DeviceConsole;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceLog;
import dev.vfio.migration.sandbox.cluster.pki.CertificateAuthority;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A cluster of real processes on this machine: API server, operator, and an agent on each of two
 * nodes; devices are added as they are needed. Safe for use by several threads.
 */
public final class SandboxCluster implements AutoCloseable {
  public static final String SOURCE_NODE = "node-a";
  public static final String DESTINATION_NODE = "node-b";

  private static final String MAIN_DEVICE = "dev.vfio.migration.sandbox.devices.DeviceProcess";

  private final ClusterSettings settings;
  private final ControlPlane controlPlane;
  private final Map<String, SandboxNode> nodes = new LinkedHashMap<>();
  private final Map<String, RunningProcess> agents = new ConcurrentHashMap<>();

  private SandboxCluster(ClusterSettings settings) throws IOException, InterruptedException {
    this.settings = settings;
    this.controlPlane = ControlPlane.prepare(settings);
    for (String folder : List.of("run", "memory", "journal")) {
      WorkFolder.emptied(settings.work().resolve(folder));
    }
    Path sockets = WorkFolder.forSockets(settings.work(), controlPlane.supervisor());
    addNode(SOURCE_NODE, 11, sockets);
    addNode(DESTINATION_NODE, 12, sockets);
  }

  /**
   * Prepares everything and starts API server and agents at once; {@link #awaitReady()} does the
   * rest. Between the two calls devices may already be started.
   */
  public static SandboxCluster start(ClusterSettings settings)
      throws IOException, InterruptedException {
    SandboxCluster cluster = new SandboxCluster(settings);
    try {
      cluster.controlPlane.launch();
      for (SandboxNode node : cluster.nodes.values()) {
        cluster.authority().agent(node.name()).writeTo(node.tls());
        cluster.launchAgent(node.name());
      }
      return cluster;
    } catch (IOException | RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  /** Makes the cluster's objects, starts the operator and returns when every part is ready. */
  public SandboxCluster awaitReady() throws IOException, InterruptedException {
    controlPlane.connect();
    controlPlane.announce(nodes.values().stream().map(SandboxNode::announced).toList());
    for (String node : nodes.keySet()) {
      awaitAgent(node);
    }
    awaitOperator();
    return this;
  }

  private void addNode(String name, int host, Path sockets) throws IOException {
    Path work = settings.work();
    String advertised = controlPlane.network().address(host);
    // Behind a link the agent listens ten numbers further on.
    String address = settings.linked() ? controlPlane.network().address(host + 10) : advertised;
    SandboxNode node =
        new SandboxNode(
            name,
            address,
            advertised,
            WorkFolder.ofDevices(sockets.resolve(name)),
            Files.createDirectories(work.resolve("memory").resolve(name)),
            Files.createDirectories(work.resolve("journal").resolve(name)),
            work.resolve("tls").resolve(name),
            Files.createDirectories(work.resolve("logs")));
    nodes.put(name, node);
  }

  // --- parts ---

  /** Starts the agent of that node; does not wait. */
  public RunningProcess launchAgent(String name) throws IOException {
    SandboxNode node = node(name);
    Map<String, String> environment =
        Map.of(
            "AGENT_NODE_NAME",
            node.name(),
            "AGENT_LISTEN_ADDRESS",
            node.address(),
            "AGENT_JOURNAL_DIRECTORY",
            node.journal().toString(),
            "AGENT_VFIO_USER_DIRECTORY",
            node.sockets().toString(),
            "AGENT_MEMORY_DIRECTORIES",
            node.memory().toString(),
            "AGENT_TLS_DIRECTORY",
            node.tls().toString());
    List<String> command =
        controlPlane.java(settings.tuning(), "256m").jar(settings.repository().agentJar());
    RunningProcess agent = controlPlane.start("agent-" + name, command, environment);
    agents.put(name, agent);
    return agent;
  }

  /** Waits until the agent of that node is ready for migrations. */
  public void awaitAgent(String name) throws IOException, InterruptedException {
    awaitHealth(name, "ready");
  }

  /** Waits until the agent of that node is up, ready or not. */
  public void awaitAgentAlive(String name) throws IOException, InterruptedException {
    awaitHealth(name, "live");
  }

  private void awaitHealth(String name, String check) throws IOException, InterruptedException {
    String address =
        "http://" + node(name).address() + ":" + SandboxNode.HEALTH_PORT + "/q/health/" + check;
    agents.get(name).awaitReady(Readiness.http(address), ControlPlane.START_BOUND);
  }

  /** Starts the operator; does not wait. */
  public RunningProcess launchOperator() throws IOException {
    return controlPlane.launchOperator();
  }

  /**
   * Starts one replica of the operator; does not wait.
   *
   * @param replica 0 or 1; without a call of this there is 0 alone
   * @param further environment, in addition to what every replica of this cluster has
   */
  public RunningProcess launchOperator(int replica, Map<String, String> further)
      throws IOException {
    return controlPlane.launchOperator(replica, further);
  }

  /** Waits until the operator says that it is ready. */
  public void awaitOperator() throws IOException, InterruptedException {
    controlPlane.awaitOperator();
  }

  /** The same of that replica. */
  public void awaitOperator(int replica) throws IOException, InterruptedException {
    controlPlane.awaitOperator(replica);
  }

  /**
   * The holder's identity in the lease, another at each start of a replica; empty where it is free.
   */
  public String leaseHolder() {
    return controlPlane.leaseHolder();
  }

  /**
   * The replica that leads, by the lease.
   *
   * @throws IOException where none does
   */
  public int leader() throws IOException {
    return controlPlane.leader();
  }

  public RunningProcess apiServer() {
    return controlPlane.apiServer();
  }

  /** Where the API server listens. */
  public InetSocketAddress apiServerAddress() {
    return controlPlane.apiServerAddress();
  }

  /** Starts the API server after it was killed, with what it had stored; does not wait. */
  public void launchApiServer() throws IOException {
    controlPlane.launchApiServer();
  }

  /** Waits until the API server answers. */
  public void awaitApiServer() throws IOException, InterruptedException {
    controlPlane.awaitApiServer();
  }

  /** Ends the API server and starts it again on the same address, with what it had stored. */
  public void restartApiServer() throws IOException, InterruptedException {
    controlPlane.restartApiServer();
  }

  /** Starts both ends of a migration: a running workload, and a device that waits for it. */
  public DevicePair launchDevices(DeviceShape source, DeviceShape destination) throws IOException {
    return new DevicePair(
        source,
        launchDevice(SOURCE_NODE, source, true),
        launchDevice(DESTINATION_NODE, destination, false));
  }

  /** As {@link #launchDevices}, and waits until both serve. */
  public DevicePair devices(DeviceShape source, DeviceShape destination)
      throws IOException, InterruptedException {
    DevicePair pair = launchDevices(source, destination);
    awaitDevice(pair.source());
    awaitDevice(pair.destination());
    return pair;
  }

  /** Starts one device. */
  public LaunchedDevice launchDevice(String nodeName, DeviceShape shape, boolean running)
      throws IOException {
    SandboxNode node = node(nodeName);
    String name = "device-" + nodeName + "-" + shape.name();
    Path log = node.logs().resolve(name + ".events.log");
    List<String> command =
        controlPlane
            .java(settings.tuning(), "128m")
            .main(
                settings.repository().sandboxClassPath("devices"),
                MAIN_DEVICE,
                shape.arguments(node, log, running));
    return new LaunchedDevice(
        controlPlane.start(name, command, Map.of()),
        new DeviceLog(log),
        new DeviceConsole(node.folder(shape.name()).resolve("console.sock")));
  }

  /** Waits until the device serves its sockets. */
  public void awaitDevice(LaunchedDevice device) throws IOException, InterruptedException {
    RunningProcess process = device.process();
    process.awaitReady(
        Readiness.logLine(process.log(), process.logOffset(), "READY"), ControlPlane.START_BOUND);
  }

  // --- what others need to know ---

  public KubernetesClient client() {
    return controlPlane.client();
  }

  public CertificateAuthority authority() {
    return controlPlane.authority();
  }

  public SandboxNode node(String name) {
    SandboxNode node = nodes.get(name);
    if (node == null) {
      throw new IllegalArgumentException("the sandbox has no node " + name);
    }
    return node;
  }

  public RunningProcess agent(String node) {
    return agents.get(node(node).name());
  }

  public RunningProcess operator() {
    return controlPlane.operator();
  }

  /** That replica of the operator, as it was last started. */
  public RunningProcess operator(int replica) {
    return controlPlane.operator(replica);
  }

  /** For further processes that are to end with the cluster. */
  public Supervisor supervisor() {
    return controlPlane.supervisor();
  }

  public Path kubeconfig() {
    return controlPlane.kubeconfig();
  }

  public Path logs() {
    return controlPlane.logs();
  }

  /** Leaves every process running, also after this one has ended. */
  public void leaveRunning() throws IOException {
    controlPlane.leaveRunning();
  }

  /** Ends every process. */
  @Override
  public void close() {
    controlPlane.close();
  }
}
