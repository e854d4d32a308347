package dev.vfio.migration.sandbox.cluster.chaos;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * One device of the pair, over the lives of its process. What its log cannot say, that it was
 * killed, is added to its events. Used by one thread.
 */
final class MovingDevice {
  private static final Duration END = Duration.ofSeconds(5);

  private final SandboxCluster cluster;
  private final String node;
  private final DeviceShape shape;
  private final List<DeviceEvent> deaths = new ArrayList<>();
  private LaunchedDevice launched;

  private MovingDevice(
      SandboxCluster cluster, String node, DeviceShape shape, LaunchedDevice launched) {
    this.cluster = cluster;
    this.node = node;
    this.shape = shape;
    this.launched = launched;
  }

  static MovingDevice launch(
      SandboxCluster cluster, String node, DeviceShape shape, boolean running) throws IOException {
    return new MovingDevice(cluster, node, shape, cluster.launchDevice(node, shape, running));
  }

  void await() throws IOException, InterruptedException {
    cluster.awaitDevice(launched);
  }

  String node() {
    return node;
  }

  NodeDevice named() {
    return new NodeDevice(node, shape.id());
  }

  LaunchedDevice launched() {
    return launched;
  }

  DeviceConsole console() {
    return launched.console();
  }

  /** SIGKILL. From now on neither device nor workload runs, and the state in it is gone. */
  void kill() throws IOException {
    launched.process().kill();
    long now = System.nanoTime();
    deaths.add(RoundEvents.death(now, node, shape.name(), "state"));
    deaths.add(RoundEvents.death(now, node, shape.name(), "workload"));
  }

  /** Starts it again, without any state, waiting for one. */
  void relaunch() throws IOException {
    launched = cluster.launchDevice(node, shape, false);
  }

  void end() {
    launched.process().terminate();
    launched.process().end(END);
  }

  /** Whether it runs, with its workload. */
  boolean runs() throws IOException {
    return is("RUNNING", "running");
  }

  /** Whether it is as one that waits for a state. */
  boolean waits() throws IOException {
    return is("NONE", "waiting");
  }

  private boolean is(String state, String workload) throws IOException {
    JsonNode status = console().status();
    return status.path("state").asText().equals(state)
        && status.path("workload").asText().equals(workload);
  }

  /**
   * Its events from that time on, after the two that say in which state it and its workload were
   * then.
   */
  List<DeviceEvent> eventsSince(long nanos) throws IOException {
    return RoundEvents.since(nanos, launched.log().events(), deaths);
  }
}
