package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.console.DeviceConsole;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceLog;
import dev.vfio.migration.sandbox.cluster.pki.CertificateAuthority;
import dev.vfio.migration.sandbox.cluster.process.ProcessSpec;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

  private static final Duration START_BOUND = Duration.ofSeconds(90);
  private static final Duration END_BOUND = Duration.ofSeconds(5);
  private static final int API_SERVER_HOST = 10;
  private static final int API_SERVER_PORT = 6443;
  private static final int OPERATOR_HOST = 20;
  private static final int OPERATOR_PORT = 8080;
  private static final String MAIN_API_SERVER =
      "dev.vfio.migration.sandbox.apiserver.ApiServerProcess";
  private static final String MAIN_DEVICE = "dev.vfio.migration.sandbox.devices.DeviceProcess";

  private final ClusterSettings settings;
  private final Supervisor supervisor;
  private final LoopbackNetwork network;
  private final CertificateAuthority authority = CertificateAuthority.create("sandbox cluster");
  private final Map<String, Node> nodes = new LinkedHashMap<>();
  private final Map<String, RunningProcess> agents = new ConcurrentHashMap<>();
  private volatile RunningProcess apiServer;
  private volatile RunningProcess operator;
  private volatile KubernetesClient client;

  private SandboxCluster(ClusterSettings settings) throws IOException, InterruptedException {
    this.settings = settings;
    // First of all this ends what an earlier run has left in that folder.
    this.supervisor =
        Supervisor.open(settings.work().resolve("processes"), settings.repository().guardScript());
    for (String folder : List.of("run", "tls", "memory", "journal", "logs", "objects", "tmp")) {
      WorkFolder.emptied(settings.work().resolve(folder));
    }
    this.network = LoopbackNetwork.choose();
    Path sockets = WorkFolder.forSockets(settings.work(), supervisor);
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
      cluster.launchApiServer();
      cluster.authority.operator().writeTo(cluster.operatorTls());
      for (Node node : cluster.nodes.values()) {
        cluster.authority.agent(node.name()).writeTo(node.tls());
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
    awaitApiServer();
    client =
        new KubernetesClientBuilder()
            .withConfig(Config.fromKubeconfig(Files.readString(kubeconfig())))
            .build();
    ClusterObjects objects = new ClusterObjects(client);
    objects.namespace();
    launchOperator();
    objects.nodes(nodes.values());
    for (String node : nodes.keySet()) {
      awaitAgent(node);
    }
    awaitOperator();
    return this;
  }

  private void addNode(String name, int host, Path sockets) throws IOException {
    Path work = settings.work();
    String advertised = network.address(host);
    // Behind a link the agent listens ten numbers further on.
    String address = settings.linked() ? network.address(host + 10) : advertised;
    Node node =
        new Node(
            name,
            address,
            advertised,
            Files.createDirectories(sockets.resolve(name)),
            Files.createDirectories(work.resolve("memory").resolve(name)),
            Files.createDirectories(work.resolve("journal").resolve(name)),
            work.resolve("tls").resolve(name),
            Files.createDirectories(work.resolve("logs")));
    nodes.put(name, node);
  }

  // --- parts ---

  private void launchApiServer() throws IOException {
    List<String> command =
        java(JavaCommand.Tuning.QUICK_START, "256m")
            .main(
                settings.repository().sandboxClassPath("apiserver"),
                MAIN_API_SERVER,
                List.of(
                    "--address",
                    network.address(API_SERVER_HOST),
                    "--port",
                    Integer.toString(API_SERVER_PORT),
                    "--kubeconfig",
                    kubeconfig().toString(),
                    "--data-directory",
                    settings.work().resolve("objects").toString(),
                    "--crds",
                    settings.repository().crds().toString()));
    apiServer = supervisor.start(spec("api-server", command, Map.of()));
  }

  private void awaitApiServer() throws IOException, InterruptedException {
    apiServer.awaitReady(
        Readiness.logLine(apiServer.log(), apiServer.logOffset(), "READY"), START_BOUND);
  }

  /** Starts the agent of that node; does not wait. */
  public RunningProcess launchAgent(String name) throws IOException {
    Node node = node(name);
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
            "AGENT_TLS_DIRECTORY",
            node.tls().toString());
    List<String> command = java(settings.tuning(), "256m").jar(settings.repository().agentJar());
    RunningProcess agent = supervisor.start(spec("agent-" + name, command, environment));
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
        "http://" + node(name).address() + ":" + Node.HEALTH_PORT + "/q/health/" + check;
    agents.get(name).awaitReady(Readiness.http(address), START_BOUND);
  }

  /** Starts the operator; does not wait. */
  public RunningProcess launchOperator() throws IOException {
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("KUBECONFIG", kubeconfig().toString());
    environment.put("OPERATOR_NAMESPACE", ClusterObjects.NAMESPACE);
    environment.put("OPERATOR_TLS_DIRECTORY", operatorTls().toString());
    environment.put("QUARKUS_HTTP_HOST", network.address(OPERATOR_HOST));
    environment.put("QUARKUS_HTTP_PORT", Integer.toString(OPERATOR_PORT));
    // As for a pod's container, a restart keeps the name: the lease is its own again at once.
    environment.put("HOSTNAME", "vfio-migration-operator-0");
    environment.put("OPERATOR_LEASE_DURATION", "3s");
    environment.put("OPERATOR_LEASE_RENEW_DEADLINE", "2s");
    environment.put("OPERATOR_LEASE_RETRY_PERIOD", "500ms");
    environment.putAll(settings.operatorSettings());
    List<String> command = java(settings.tuning(), "256m").jar(settings.repository().operatorJar());
    operator = supervisor.start(spec("operator", command, environment));
    return operator;
  }

  /** Waits until the operator says that it is ready. */
  public void awaitOperator() throws IOException, InterruptedException {
    operator.awaitReady(
        Readiness.http(
            "http://" + network.address(OPERATOR_HOST) + ":" + OPERATOR_PORT + "/q/health/ready"),
        START_BOUND);
  }

  /** The API server's process. */
  public RunningProcess apiServer() {
    return apiServer;
  }

  /** Ends the API server and starts it again on the same address, with what it had stored. */
  public void restartApiServer() throws IOException, InterruptedException {
    apiServer.end(END_BOUND);
    launchApiServer();
    awaitApiServer();
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
  public SimulatedDevice launchDevice(String nodeName, DeviceShape shape, boolean running)
      throws IOException {
    Node node = node(nodeName);
    String name = "device-" + nodeName + "-" + shape.name();
    Path log = node.logs().resolve(name + ".events.log");
    List<String> command =
        java(settings.tuning(), "128m")
            .main(
                settings.repository().sandboxClassPath("devices"),
                MAIN_DEVICE,
                shape.arguments(node, log, running));
    return new SimulatedDevice(
        supervisor.start(spec(name, command, Map.of())),
        new DeviceLog(log),
        new DeviceConsole(node.sockets().resolve(shape.name() + ".console.sock")));
  }

  /** Waits until the device serves its sockets. */
  public void awaitDevice(SimulatedDevice device) throws IOException, InterruptedException {
    RunningProcess process = device.process();
    process.awaitReady(Readiness.logLine(process.log(), process.logOffset(), "READY"), START_BOUND);
  }

  // --- what others need to know ---

  public KubernetesClient client() {
    return client;
  }

  public CertificateAuthority authority() {
    return authority;
  }

  public Node node(String name) {
    Node node = nodes.get(name);
    if (node == null) {
      throw new IllegalArgumentException("the sandbox has no node " + name);
    }
    return node;
  }

  public RunningProcess agent(String node) {
    return agents.get(node(node).name());
  }

  public RunningProcess operator() {
    return operator;
  }

  /** For further processes that are to end with the cluster. */
  public Supervisor supervisor() {
    return supervisor;
  }

  public Path kubeconfig() {
    return settings.work().resolve("kubeconfig");
  }

  public Path logs() {
    return settings.work().resolve("logs");
  }

  private Path operatorTls() {
    return settings.work().resolve("tls").resolve("operator");
  }

  private JavaCommand java(JavaCommand.Tuning tuning, String heap) {
    return new JavaCommand(tuning, heap, settings.work().resolve("tmp"));
  }

  private ProcessSpec spec(String name, List<String> command, Map<String, String> environment) {
    return new ProcessSpec(
        name, command, environment, settings.work(), logs().resolve(name + ".log"));
  }

  /** Lets go of every process; they run on after this one. */
  public void leaveRunning() throws IOException {
    supervisor.leaveRunning();
    closeClient();
  }

  /** Ends every process. */
  @Override
  public void close() {
    closeClient();
    supervisor.close();
  }

  private void closeClient() {
    if (client != null) {
      client.close();
    }
  }
}
