package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.link.FaultyLink;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import java.io.IOException;
import java.util.List;
import java.util.Random;

/**
 * One fault of one part, from its begin to its mending. {@link #launch} and {@link #awaitMended}
 * are two steps so that parts that need each other can be mended together. Used by one thread.
 */
final class Injection {
  /** A stream of the rounds' small devices has some MiB; a connection of the operator some KiB. */
  private static final int STATE_BYTES = 4 << 20;

  private static final int CONTROL_BYTES = 4 << 10;

  private final ChaosCluster chaos;
  private final SandboxCluster cluster;
  private final Blow blow;
  private final Random random;
  private Pulse pulse;

  Injection(ChaosCluster chaos, Blow blow, Random random) {
    this.chaos = chaos;
    this.cluster = chaos.cluster();
    this.blow = blow;
    this.random = random;
  }

  Blow blow() {
    return blow;
  }

  void begin() throws IOException, InterruptedException {
    switch (blow.fault()) {
      case KILL -> kill();
      case STOP -> stop();
      case CUT -> cut();
      case SLOW -> pulse = Pulse.begin(process());
      case CORRUPT -> corrupt();
    }
  }

  /** Ends the fault, or starts again what was killed. */
  void launch() throws IOException, InterruptedException {
    switch (blow.fault()) {
      case KILL -> relaunch();
      case STOP -> proceed();
      case CUT -> mendCut();
      case SLOW -> pulse.end();
      case CORRUPT -> links().forEach(FaultyLink::restore);
    }
  }

  /** Returns when a part that was started again is ready. */
  void awaitMended() throws IOException, InterruptedException {
    if (blow.fault() != Fault.KILL) {
      return;
    }
    switch (blow.part()) {
      case API_SERVER -> cluster.awaitApiServer();
      case SOURCE_AGENT -> cluster.awaitAgent(chaos.source().node());
      case DESTINATION_AGENT -> cluster.awaitAgent(chaos.destination().node());
      case OPERATOR -> cluster.awaitOperator();
      case SOURCE_DEVICE -> chaos.source().await();
      case DESTINATION_DEVICE -> chaos.destination().await();
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> {}
    }
  }

  private RunningProcess process() {
    return switch (blow.part()) {
      case API_SERVER -> cluster.apiServer();
      case SOURCE_AGENT -> cluster.agent(chaos.source().node());
      case DESTINATION_AGENT -> cluster.agent(chaos.destination().node());
      case OPERATOR -> cluster.operator();
      case SOURCE_DEVICE, SOURCE_WORKLOAD -> chaos.source().launched().process();
      case DESTINATION_DEVICE, WAITING_WORKLOAD -> chaos.destination().launched().process();
    };
  }

  private List<FaultyLink> links() {
    return switch (blow.part()) {
      case API_SERVER -> List.of(chaos.apiLink());
      case SOURCE_AGENT ->
          List.of(chaos.controlLink(chaos.source().node()), chaos.stateLink());
      case DESTINATION_AGENT ->
          List.of(chaos.controlLink(chaos.destination().node()), chaos.stateLink());
      case OPERATOR ->
          List.of(
              chaos.apiLink(),
              chaos.controlLink(chaos.source().node()),
              chaos.controlLink(chaos.destination().node()));
      case SOURCE_DEVICE, DESTINATION_DEVICE, SOURCE_WORKLOAD, WAITING_WORKLOAD -> List.of();
    };
  }

  private void kill() throws IOException {
    switch (blow.part()) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR -> process().kill();
      case SOURCE_DEVICE -> chaos.source().kill();
      case DESTINATION_DEVICE -> chaos.destination().kill();
      case SOURCE_WORKLOAD -> chaos.source().console().shut("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().shut("workload");
    }
  }

  private void relaunch() throws IOException {
    switch (blow.part()) {
      case API_SERVER -> cluster.launchApiServer();
      case SOURCE_AGENT -> cluster.launchAgent(chaos.source().node());
      case DESTINATION_AGENT -> cluster.launchAgent(chaos.destination().node());
      case OPERATOR -> cluster.launchOperator();
      case SOURCE_DEVICE -> chaos.source().relaunch();
      case DESTINATION_DEVICE -> chaos.destination().relaunch();
      case SOURCE_WORKLOAD -> chaos.source().console().open("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().open("workload");
    }
  }

  private void stop() throws IOException, InterruptedException {
    switch (blow.part()) {
      case API_SERVER,
          SOURCE_AGENT,
          DESTINATION_AGENT,
          OPERATOR,
          SOURCE_DEVICE,
          DESTINATION_DEVICE ->
          process().suspend();
      case SOURCE_WORKLOAD -> chaos.source().console().silence("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().silence("workload");
    }
  }

  private void proceed() throws IOException, InterruptedException {
    switch (blow.part()) {
      case API_SERVER,
          SOURCE_AGENT,
          DESTINATION_AGENT,
          OPERATOR,
          SOURCE_DEVICE,
          DESTINATION_DEVICE ->
          process().proceed();
      case SOURCE_WORKLOAD -> chaos.source().console().open("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().open("workload");
    }
  }

  private void cut() throws IOException {
    switch (blow.part()) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR ->
          links().forEach(FaultyLink::cut);
      case SOURCE_DEVICE -> chaos.source().console().shut("device");
      case DESTINATION_DEVICE -> chaos.destination().console().shut("device");
      case SOURCE_WORKLOAD -> chaos.source().console().shut("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().shut("workload");
    }
  }

  private void mendCut() throws IOException {
    switch (blow.part()) {
      case API_SERVER, SOURCE_AGENT, DESTINATION_AGENT, OPERATOR ->
          links().forEach(FaultyLink::restore);
      case SOURCE_DEVICE -> chaos.source().console().open("device");
      case DESTINATION_DEVICE -> chaos.destination().console().open("device");
      case SOURCE_WORKLOAD -> chaos.source().console().open("workload");
      case WAITING_WORKLOAD -> chaos.destination().console().open("workload");
    }
  }

  /** The API server of the sandbox speaks without TLS: what it sends is not touched. */
  private void corrupt() throws IOException {
    if (blow.part() == Part.SOURCE_DEVICE) {
      chaos.source().console().fault("corrupt-data=PRECOPY");
      chaos.source().console().fault("corrupt-data=STOPNCOPY");
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
