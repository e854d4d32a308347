package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.pki.CertificateAuthority;
import dev.vfio.migration.sandbox.cluster.process.ProcessSpec;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The part of a sandbox cluster that is on no node: API server and operator as processes of this
 * machine, and the certificate authority. It does not know where the agents run. Safe for use by
 * several threads.
 */
public final class ControlPlane implements AutoCloseable {
  /** How long a part of the sandbox may take to start on this machine. */
  static final Duration START_BOUND = Duration.ofMinutes(5);

  private static final Duration END_BOUND = Duration.ofSeconds(5);
  private static final int API_SERVER_HOST = 10;
  private static final int API_SERVER_PORT = 6443;

  /** Of the first replica; each further one has an address ten further on. */
  private static final int OPERATOR_HOST = 20;

  private static final int REPLICA_DISTANCE = 10;
  private static final int OPERATOR_PORT = 8080;
  private static final String LEASE = "vfio-migration-operator";
  private static final String MAIN_API_SERVER =
      "dev.vfio.migration.sandbox.apiserver.ApiServerProcess";

  private final ClusterSettings settings;
  private final Supervisor supervisor;
  private final LoopbackNetwork network;
  private final CertificateAuthority authority = CertificateAuthority.create("sandbox cluster");
  private volatile RunningProcess apiServer;
  private final Map<Integer, RunningProcess> operators = new ConcurrentHashMap<>();
  private volatile KubernetesClient client;

  private ControlPlane(ClusterSettings settings) throws IOException, InterruptedException {
    this.settings = settings;
    // First of all this ends what an earlier run has left in that folder.
    this.supervisor =
        Supervisor.open(settings.work().resolve("processes"), settings.repository().guardScript());
    for (String folder : List.of("tls", "logs", "objects", "tmp")) {
      WorkFolder.emptied(settings.work().resolve(folder));
    }
    this.network = LoopbackNetwork.choose();
  }

  /** Ends what an earlier sandbox left in the work folder; starts nothing yet. */
  public static ControlPlane prepare(ClusterSettings settings)
      throws IOException, InterruptedException {
    return new ControlPlane(settings);
  }

  /** Starts the API server and writes the operator's certificates; does not wait. */
  public void launch() throws IOException {
    launchApiServer();
    authority.operator().writeTo(operatorTls());
  }

  /** Once the API server is ready: makes the namespace and starts the operator. */
  public void connect() throws IOException, InterruptedException {
    awaitApiServer();
    client =
        new KubernetesClientBuilder()
            .withConfig(Config.fromKubeconfig(Files.readString(kubeconfig())))
            .build();
    objects().namespace();
    launchOperator();
  }

  /** Makes the objects that a cluster with these nodes has. */
  public void announce(Collection<NodeAddress> nodes) {
    objects().nodes(nodes);
  }

  private ClusterObjects objects() {
    return new ClusterObjects(client);
  }

  /** Starts the API server on its address, with what it had stored; does not wait. */
  public void launchApiServer() throws IOException {
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
    apiServer = start("api-server", command, Map.of());
  }

  /** Waits until the API server answers. */
  public void awaitApiServer() throws IOException, InterruptedException {
    apiServer.awaitReady(
        Readiness.logLine(apiServer.log(), apiServer.logOffset(), "READY"), START_BOUND);
  }

  /** Ends the API server and starts it again on the same address, with what it had stored. */
  public void restartApiServer() throws IOException, InterruptedException {
    apiServer.end(END_BOUND);
    launchApiServer();
    awaitApiServer();
  }

  /** Where the API server listens. */
  public InetSocketAddress apiServerAddress() {
    return new InetSocketAddress(network.address(API_SERVER_HOST), API_SERVER_PORT);
  }

  /**
   * Writes a kubeconfig for a client that reaches the API server over a link.
   *
   * @param link where the link listens
   */
  public static Path writeKubeconfig(Path file, InetSocketAddress link) throws IOException {
    return Files.writeString(
        file,
        """
        apiVersion: v1
        kind: Config
        clusters:
        - {name: sandbox, cluster: {server: "http://%s:%d"}}
        contexts:
        - {name: sandbox, context: {cluster: sandbox, user: sandbox, namespace: default}}
        current-context: sandbox
        users:
        - {name: sandbox, user: {}}
        """
            .formatted(link.getAddress().getHostAddress(), link.getPort()));
  }

  /** Starts the operator; does not wait. */
  public RunningProcess launchOperator() throws IOException {
    return launchOperator(0, Map.of());
  }

  /**
   * Starts one replica of the operator; does not wait.
   *
   * @param replica 0 or 1
   * @param further environment, in addition to what every replica of this cluster has
   */
  public RunningProcess launchOperator(int replica, Map<String, String> further)
      throws IOException {
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("KUBECONFIG", kubeconfig().toString());
    environment.put("OPERATOR_NAMESPACE", ClusterObjects.NAMESPACE);
    // Where examples, demo, lab and tests make their migrations.
    environment.put("OPERATOR_ADMIN_NAMESPACES", "default");
    environment.put("OPERATOR_TLS_DIRECTORY", operatorTls().toString());
    environment.put("QUARKUS_HTTP_HOST", operatorAddress(replica));
    environment.put("QUARKUS_HTTP_PORT", Integer.toString(OPERATOR_PORT));
    // As for a pod's container, a restart keeps the name: the lease is its own again at once.
    environment.put("HOSTNAME", operatorPod(replica));
    environment.put("OPERATOR_LEASE_DURATION", "3s");
    environment.put("OPERATOR_LEASE_RENEW_DEADLINE", "2s");
    environment.put("OPERATOR_LEASE_RETRY_PERIOD", "500ms");
    environment.putAll(settings.operatorSettings());
    environment.putAll(further);
    List<String> command = java(settings.tuning(), "256m").jar(settings.repository().operatorJar());
    String name = replica == 0 ? "operator" : "operator-" + replica;
    RunningProcess operator = start(name, command, environment);
    operators.put(replica, operator);
    return operator;
  }

  /** Waits until the operator says that it is ready. */
  public void awaitOperator() throws IOException, InterruptedException {
    awaitOperator(0);
  }

  /** The same of that replica. */
  public void awaitOperator(int replica) throws IOException, InterruptedException {
    operator(replica)
        .awaitReady(
            Readiness.http(
                "http://" + operatorAddress(replica) + ":" + OPERATOR_PORT + "/q/health/ready"),
            START_BOUND);
  }

  private String operatorAddress(int replica) {
    return network.address(OPERATOR_HOST + REPLICA_DISTANCE * replica);
  }

  private static String operatorPod(int replica) {
    return "vfio-migration-operator-" + replica;
  }

  /**
   * The holder's identity in the lease, another at each start of a replica; empty where it is free.
   */
  public String leaseHolder() {
    Lease lease = client.leases().inNamespace(ClusterObjects.NAMESPACE).withName(LEASE).get();
    String holder = lease == null ? null : lease.getSpec().getHolderIdentity();
    return holder == null ? "" : holder;
  }

  /**
   * The replica that leads, by the lease.
   *
   * @throws IOException where none does
   */
  public int leader() throws IOException {
    String holder = leaseHolder();
    for (int replica : operators.keySet()) {
      if (holder.startsWith(operatorPod(replica))) {
        return replica;
      }
    }
    throw new IOException("no operator leads: the lease names '" + holder + "'");
  }

  // --- parts and places ---

  public RunningProcess apiServer() {
    return apiServer;
  }

  public RunningProcess operator() {
    return operator(0);
  }

  /** That replica, as it was last started. */
  public RunningProcess operator(int replica) {
    return operators.get(replica);
  }

  /** Usable after {@link #connect()}. */
  public KubernetesClient client() {
    return client;
  }

  /** The authority that issues this cluster's certificates. */
  public CertificateAuthority authority() {
    return authority;
  }

  /** The addresses of this sandbox. */
  public LoopbackNetwork network() {
    return network;
  }

  /** For further processes that are to end with the cluster. */
  public Supervisor supervisor() {
    return supervisor;
  }

  /** For kubectl and for clients. */
  public Path kubeconfig() {
    return settings.work().resolve("kubeconfig");
  }

  /** One file for each process. */
  public Path logs() {
    return settings.work().resolve("logs");
  }

  private Path operatorTls() {
    return settings.work().resolve("tls").resolve("operator");
  }

  // --- for those who start processes of the nodes on this machine ---

  JavaCommand java(JavaCommand.Tuning tuning, String heap) {
    return new JavaCommand(tuning, heap, settings.work().resolve("tmp"));
  }

  RunningProcess start(String name, List<String> command, Map<String, String> environment)
      throws IOException {
    return supervisor.start(
        new ProcessSpec(
            name, command, environment, settings.work(), logs().resolve(name + ".log")));
  }

  /** Leaves every process running after this one. */
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
