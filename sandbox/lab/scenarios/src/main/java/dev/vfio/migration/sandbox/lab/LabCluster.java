package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.ControlPlane;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A cluster whose operator and API server are processes of this machine and whose two nodes are
 * guests. Used by one thread.
 */
final class LabCluster implements AutoCloseable {
  /** Devices leave this node. */
  static final String SOURCE_NODE = "node-a";

  /** Devices go to this node. */
  static final String DESTINATION_NODE = "node-b";

  /** A call that an agent answers in milliseconds elsewhere may take seconds in a guest. */
  private static final Map<String, String> OPERATOR_SETTINGS =
      Map.of("OPERATOR_CALL_TIMEOUT", "120s", "OPERATOR_INVENTORY_PERIOD", "10s");

  private final Optional<ControlPlane> controlPlane;
  private final KubernetesClient client;
  private final GuestAgent sourceAgent;
  private final GuestAgent destinationAgent;

  private LabCluster(
      Optional<ControlPlane> controlPlane,
      KubernetesClient client,
      GuestAgent sourceAgent,
      GuestAgent destinationAgent) {
    this.controlPlane = controlPlane;
    this.client = client;
    this.sourceAgent = sourceAgent;
    this.destinationAgent = destinationAgent;
  }

  /**
   * Starts everything and returns when every part is ready.
   *
   * @param archives folder of class data archives for the agents; empty to do without
   * @param agentSettings environment of both agents, in addition to what the lab sets
   */
  static LabCluster start(
      Repository repository,
      Path work,
      GuestNode source,
      GuestNode destination,
      Optional<Path> archives,
      Map<String, String> agentSettings)
      throws IOException, InterruptedException {
    ControlPlane controlPlane =
        ControlPlane.prepare(
            new ClusterSettings(
                repository, work, JavaCommand.Tuning.QUICK_START, false, OPERATOR_SETTINGS));
    try {
      Path jar = repository.agentJar();
      Optional<Path> archive = Optional.empty();
      if (archives.isPresent()) {
        archive =
            Optional.of(ClassDataArchive.of(jar, archives.get(), controlPlane.supervisor(), work));
      }
      List<GuestAgent> agents = new ArrayList<>();
      for (GuestNode node : List.of(source, destination)) {
        controlPlane.authority().agent(node.name()).writeTo(node.tls());
        GuestAgent agent = new GuestAgent(node, jar, archive, agentSettings);
        agent.start();
        agents.add(agent);
      }
      controlPlane.launch();
      controlPlane.connect();
      controlPlane.awaitOperator();
      for (GuestAgent agent : agents) {
        agent.awaitReady();
      }
      // Only now: an operator that knocks on a starting agent's door makes it slower.
      controlPlane.announce(List.of(source.announced(), destination.announced()));
      return new LabCluster(
          Optional.of(controlPlane), controlPlane.client(), agents.get(0), agents.get(1));
    } catch (IOException | InterruptedException | RuntimeException e) {
      controlPlane.close();
      throw e;
    }
  }

  /** Goes on with what an earlier run left running in that work folder. */
  static LabCluster attach(
      Repository repository,
      Path work,
      GuestNode source,
      GuestNode destination,
      Path archives,
      Map<String, String> agentSettings)
      throws IOException, InterruptedException {
    Path jar = repository.agentJar();
    Optional<Path> archive = ClassDataArchive.existing(jar, archives);
    GuestAgent sourceAgent = new GuestAgent(source, jar, archive, agentSettings);
    GuestAgent destinationAgent = new GuestAgent(destination, jar, archive, agentSettings);
    sourceAgent.attach();
    destinationAgent.attach();
    KubernetesClient client =
        new KubernetesClientBuilder()
            .withConfig(Config.fromKubeconfig(Files.readString(work.resolve("kubeconfig"))))
            .build();
    return new LabCluster(Optional.empty(), client, sourceAgent, destinationAgent);
  }

  GuestNode source() {
    return sourceAgent.node();
  }

  GuestNode destination() {
    return destinationAgent.node();
  }

  GuestAgent sourceAgent() {
    return sourceAgent;
  }

  GuestAgent destinationAgent() {
    return destinationAgent;
  }

  KubernetesClient client() {
    return client;
  }

  /**
   * SIGSTOP: nothing is decided until {@link #proceedOperator()}.
   *
   * @throws IOException where the operator is another run's
   */
  void suspendOperator() throws IOException, InterruptedException {
    ownControlPlane().operator().suspend();
  }

  /** SIGCONT; nothing where it is not suspended. */
  void proceedOperator() throws IOException, InterruptedException {
    ownControlPlane().operator().proceed();
  }

  private ControlPlane ownControlPlane() throws IOException {
    return controlPlane.orElseThrow(
        () -> new IOException("the operator belongs to an earlier run and is left alone"));
  }

  /** Lets everything run on. */
  void leaveRunning() throws IOException {
    if (controlPlane.isPresent()) {
      controlPlane.get().leaveRunning();
    }
  }

  /**
   * Ends operator and API server, unless they were there before. The agents end with the guests.
   */
  @Override
  public void close() {
    if (controlPlane.isPresent()) {
      controlPlane.get().close();
    } else {
      client.close();
    }
  }
}
