package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.link.FaultyLink;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * One fault of one part, from its begin to its mending. {@link #launch} and {@link #awaitMended}
 * are two steps so that parts that need each other can be mended together. Used by one thread.
 */
final class Injection {
  private static final String DEVICE = "device";
  private static final String WORKLOAD = "workload";

  /** A stream of the rounds' small devices has some MiB; a connection of the operator some KiB. */
  private static final int STATE_BYTES = 4 << 20;

  private static final int CONTROL_BYTES = 4 << 10;

  /** What may fail as a process or a socket does. */
  @FunctionalInterface
  private interface Step {
    void take() throws IOException, InterruptedException;
  }

  private final ChaosCluster chaos;
  private final SandboxCluster cluster;
  private final Part part;
  private final Fault fault;
  private final Random random;
  private final int leader;
  private Pulse pulse;

  /**
   * @param leader replica of the operator that leads: it is the one that something happens to
   */
  Injection(ChaosCluster chaos, Blow<Part> blow, Random random, int leader) {
    this.chaos = chaos;
    this.cluster = chaos.cluster();
    this.part = blow.part();
    this.fault = blow.fault();
    this.random = random;
    this.leader = leader;
  }

  Part part() {
    return part;
  }

  void begin() throws IOException, InterruptedException {
    Step step =
        switch (fault) {
          case KILL -> kill();
          case STOP -> stop();
          case CUT -> cut();
          case SLOW -> () -> pulse = Pulse.begin(process());
          case CORRUPT -> this::corrupt;
        };
    step.take();
  }

  /** Ends the fault, or starts again what was killed. */
  void launch() throws IOException, InterruptedException {
    Step step =
        switch (fault) {
          case KILL -> relaunch();
          case STOP -> proceed();
          case CUT -> mend();
          case SLOW -> () -> pulse.end();
          case CORRUPT -> () -> links().forEach(FaultyLink::restore);
        };
    step.take();
  }

  /** Returns when a part that was started again is ready. */
  void awaitMended() throws IOException, InterruptedException {
    Step step =
        switch (part) {
          case API_SERVER -> cluster::awaitApiServer;
          case SOURCE_AGENT, DESTINATION_AGENT -> () -> cluster.awaitAgent(end().node());
          case OPERATOR -> () -> cluster.awaitOperator(leader);
          case SOURCE_DEVICE, DESTINATION_DEVICE -> () -> end().await();
          case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> {};
        };
    if (fault == Fault.KILL) {
      step.take();
    }
  }

  /** The device at the part's own end of the migration. */
  private MovingDevice end() {
    return switch (part) {
      case SOURCE_AGENT, SOURCE_DEVICE, SOURCE_WORKLOAD -> chaos.source();
      case DESTINATION_AGENT, DESTINATION_DEVICE, WAITING_WORKLOAD -> chaos.destination();
      case API_SERVER, OPERATOR -> throw new IllegalStateException(part + " is on no node");
    };
  }

  private RunningProcess process() {
    return switch (part) {
      case API_SERVER -> cluster.apiServer();
      case SOURCE_AGENT, DESTINATION_AGENT -> cluster.agent(end().node());
      case OPERATOR -> cluster.operator(leader);
      case SOURCE_DEVICE, DESTINATION_DEVICE, SOURCE_WORKLOAD, WAITING_WORKLOAD ->
          end().launched().process();
    };
  }

  private List<FaultyLink> links() {
    return switch (part) {
      case API_SERVER -> List.of(chaos.apiLink());
      case SOURCE_AGENT, DESTINATION_AGENT ->
          List.of(chaos.controlLink(end().node()), chaos.stateLink());
      case OPERATOR ->
          List.of(
              chaos.apiLink(),
              chaos.controlLink(chaos.source().node()),
              chaos.controlLink(chaos.destination().node()));
      case SOURCE_DEVICE, DESTINATION_DEVICE, SOURCE_WORKLOAD, WAITING_WORKLOAD -> List.of();
    };
  }

  private Step kill() {
    return switch (part) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR -> () -> process().kill();
      case SOURCE_DEVICE, DESTINATION_DEVICE -> () -> end().kill();
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().shut(WORKLOAD);
    };
  }

  private Step relaunch() {
    return switch (part) {
      case API_SERVER -> cluster::launchApiServer;
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> cluster.launchAgent(end().node());
      case OPERATOR -> () -> cluster.launchOperator(leader, Map.of());
      case SOURCE_DEVICE, DESTINATION_DEVICE -> () -> end().relaunch();
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().open(WORKLOAD);
    };
  }

  private Step stop() {
    return switch (part) {
      case API_SERVER,
          SOURCE_AGENT,
          DESTINATION_AGENT,
          OPERATOR,
          SOURCE_DEVICE,
          DESTINATION_DEVICE ->
          () -> process().suspend();
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().silence(WORKLOAD);
    };
  }

  private Step proceed() {
    return switch (part) {
      case API_SERVER,
          SOURCE_AGENT,
          DESTINATION_AGENT,
          OPERATOR,
          SOURCE_DEVICE,
          DESTINATION_DEVICE ->
          () -> process().proceed();
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().open(WORKLOAD);
    };
  }

  private Step cut() {
    return switch (part) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR ->
          () -> links().forEach(FaultyLink::cut);
      case SOURCE_DEVICE, DESTINATION_DEVICE -> () -> end().console().shut(DEVICE);
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().shut(WORKLOAD);
    };
  }

  private Step mend() {
    return switch (part) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR ->
          () -> links().forEach(FaultyLink::restore);
      case SOURCE_DEVICE, DESTINATION_DEVICE -> () -> end().console().open(DEVICE);
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> end().console().open(WORKLOAD);
    };
  }

  /** The API server of the sandbox speaks without TLS: what it sends is not touched. */
  private void corrupt() throws IOException {
    if (part == Part.SOURCE_DEVICE) {
      end().console().fault("corrupt-data=PRECOPY");
      end().console().fault("corrupt-data=STOPNCOPY");
    }
    for (FaultyLink link : links()) {
      if (link == chaos.stateLink()) {
        link.flipBitAfter(random.nextInt(STATE_BYTES));
      } else if (link != chaos.apiLink()) {
        link.flipBitAfter(random.nextInt(CONTROL_BYTES));
      }
    }
  }
}
