package dev.vfio.migration.sandbox.cluster.chaos;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

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
    return new MovingDevice(
        cluster, node, shape, cluster.launchDevice(node, shape, running));
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
    String state = last("state", Long.MAX_VALUE).map(event -> event.text("to")).orElse("NONE");
    deaths.add(death(now, "state", state));
    deaths.add(death(now, "workload", ""));
  }

  private DeviceEvent death(long now, String event, String from) {
    ObjectNode fields = JsonNodeFactory.instance.objectNode();
    fields.put("from", from).put("to", "killed");
    return new DeviceEvent(now, node, shape.name(), event, fields);
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
    var status = console().status();
    return status.path("state").asText().equals(state)
        && status.path("workload").asText().equals(workload);
  }

  /**
   * Its events from that time on, after the two that say in which state it and its workload were
   * then.
   */
  List<DeviceEvent> eventsSince(long nanos) throws IOException {
    List<DeviceEvent> events = new ArrayList<>();
    last("state", nanos).ifPresent(events::add);
    last("workload", nanos).ifPresent(events::add);
    events.sort(Comparator.comparingLong(DeviceEvent::nanos));
    all().stream().filter(event -> event.nanos() >= nanos).forEach(events::add);
    return events;
  }

  /** Whether it did what a fault of its console says, since then. */
  boolean faultedSince(long nanos) throws IOException {
    return all().stream()
        .anyMatch(event -> event.nanos() >= nanos && event.event().equals("fault"));
  }

  boolean entered(String state, long since) throws IOException {
    return all().stream().anyMatch(event -> event.nanos() >= since && event.entersState(state));
  }

  private Optional<DeviceEvent> last(String kind, long before) throws IOException {
    return all().stream()
        .filter(event -> event.nanos() < before && event.event().equals(kind))
        .reduce((earlier, later) -> later);
  }

  private List<DeviceEvent> all() throws IOException {
    List<DeviceEvent> all = new ArrayList<>(launched.log().events());
    all.addAll(deaths);
    all.sort(Comparator.comparingLong(DeviceEvent::nanos));
    return all;
  }
}
