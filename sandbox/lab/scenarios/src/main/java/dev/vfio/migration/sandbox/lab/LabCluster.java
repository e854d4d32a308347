package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.ControlPlane;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import dev.vfio.migration.sandbox.cluster.process.FileTree;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

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

  /** How long anything may take in guests whose processors are emulated. */
  private static final Duration BOUND = Duration.ofMinutes(6);

  /** What may fail as a guest, a process or the API server does. */
  @FunctionalInterface
  interface Step {
    void take() throws IOException, InterruptedException;
  }

  private final ControlPlane controlPlane;
  private final GuestAgent sourceAgent;
  private final GuestAgent destinationAgent;
  private final Path workload;

  private LabCluster(
      ControlPlane controlPlane,
      GuestAgent sourceAgent,
      GuestAgent destinationAgent,
      Path workload) {
    this.controlPlane = controlPlane;
    this.sourceAgent = sourceAgent;
    this.destinationAgent = destinationAgent;
    this.workload = workload;
  }

  /**
   * Starts everything and returns when every part is ready.
   *
   * @param archives folder of class data archives for the agents
   * @param workload the program, as the guests see it
   */
  static LabCluster start(
      Repository repository,
      Path work,
      GuestNode source,
      GuestNode destination,
      Path archives,
      Path workload)
      throws IOException, InterruptedException {
    ControlPlane controlPlane =
        ControlPlane.prepare(
            new ClusterSettings(
                repository, work, JavaCommand.Tuning.QUICK_START, false, OPERATOR_SETTINGS));
    try {
      Path jar = repository.agentJar();
      Path archive = ClassDataArchive.of(jar, archives, controlPlane.supervisor(), work);
      List<GuestAgent> agents = new ArrayList<>();
      for (GuestNode node : List.of(source, destination)) {
        controlPlane.authority().agent(node.name()).writeTo(node.tls());
        GuestAgent agent = new GuestAgent(node, jar, archive);
        agent.start();
        agents.add(agent);
      }
      controlPlane.launch();
      controlPlane.connect();
      controlPlane.awaitOperator();
      for (GuestAgent agent : agents) {
        agent.awaitReady();
      }
      // Only now: an operator that connects to an agent while it starts makes it slower.
      controlPlane.announce(List.of(source.announced(), destination.announced()));
      return new LabCluster(controlPlane, agents.get(0), agents.get(1), workload);
    } catch (IOException | InterruptedException | RuntimeException e) {
      controlPlane.close();
      throw e;
    }
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

  /** The agent of that node. */
  GuestAgent agentOf(GuestNode node) {
    return node.name().equals(source().name()) ? sourceAgent : destinationAgent;
  }

  /** The program that uses devices, as the guests see it. */
  Path workload() {
    return workload;
  }

  /**
   * Applies a migration whose timeouts suit slow guests.
   *
   * @param live whether it copies while the workload runs
   * @param manual whether it stays in PreCopy until {@link AppliedMigration#switchOver()}
   */
  AppliedMigration migrate(
      String name, NodeDevice source, NodeDevice destination, boolean live, boolean manual) {
    return migrate(name, source, destination, live, manual, BOUND);
  }

  /**
   * The same.
   *
   * @param phaseBound how long each phase may take, and an agent be away, whole seconds
   */
  AppliedMigration migrate(
      String name,
      NodeDevice source,
      NodeDevice destination,
      boolean live,
      boolean manual,
      Duration phaseBound) {
    Map<String, String> timeouts =
        Stream.of(
                "validating",
                "preparing",
                "switchingOver",
                "activating",
                "rollingBack",
                "agentUnavailable")
            .collect(Collectors.toMap(phase -> phase, phase -> phaseBound.toSeconds() + "s"));
    return AppliedMigration.apply(
        controlPlane.client(),
        "kernel-lab",
        AppliedMigration.object(
            "default",
            name,
            Map.of(
                "source",
                source.spec(),
                "destination",
                destination.spec(),
                "convergence",
                live
                    ? Map.of("mode", "Live", "downtimeLimit", "20s", "maxDuration", "20m")
                    : Map.of("mode", "Cold"),
                "switchover",
                manual ? "Manual" : "Automatic",
                "timeouts",
                timeouts)),
        BOUND);
  }

  /** SIGSTOP: nothing is decided until {@link #proceedOperator()}. */
  void suspendOperator() throws IOException, InterruptedException {
    controlPlane.operator().suspend();
  }

  /** SIGCONT; nothing where it is not suspended. */
  void proceedOperator() throws IOException, InterruptedException {
    controlPlane.operator().proceed();
  }

  /** SIGKILL. */
  void killOperator() {
    controlPlane.operator().kill();
  }

  /** Starts the operator after {@link #killOperator()} and waits until it is ready. */
  void restartOperator() throws IOException, InterruptedException {
    controlPlane.launchOperator();
    controlPlane.awaitOperator();
  }

  /** Copies the logs of all processes, and the agents' journals, for people to read. */
  void keepLogs(Path folder) throws IOException, InterruptedException {
    for (GuestNode node : List.of(source(), destination())) {
      node.guest()
          .run(
              "cp -r %s/journal %s/kept-journal"
                  .formatted(node.runDirectory(), Shell.quoted(node.folder())),
              GuestNode.COMMAND_BOUND);
      FileTree.copy(node.folder(), folder.resolve(node.name()));
      FileTree.delete(node.folder().resolve("kept-journal"));
    }
    FileTree.copy(controlPlane.logs(), folder.resolve("logs"));
  }

  /** Leaves operator and API server running after this process. */
  void leaveRunning() throws IOException {
    controlPlane.leaveRunning();
  }

  /** Ends operator and API server. The agents end with the guests. */
  @Override
  public void close() {
    controlPlane.close();
  }
}
