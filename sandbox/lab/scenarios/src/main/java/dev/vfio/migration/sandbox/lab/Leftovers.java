package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a scenario must not leave behind in the guests. */
final class Leftovers {
  private static final Duration BOUND = Duration.ofSeconds(45);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(500);

  /** Threads of the network come with their first use, and bring descriptors of their own. */
  private static final int OPENED_BY_FIRST_USE = 4;

  private final LabCluster cluster;
  private final Map<Long, Integer> afterFirst = new HashMap<>();

  Leftovers(LabCluster cluster) {
    this.cluster = cluster;
  }

  /**
   * Waits until nothing is left.
   *
   * @return the counts, for the verdict
   * @throws IOException where something is left; the message lists it
   */
  String awaitNone() throws IOException, InterruptedException {
    await(this::left);
    for (GuestAgent agent : agents()) {
      afterFirst.putIfAbsent(agent.pid(), agent.descriptors());
    }
    return "device fds left 0/0, frozen cgroups 0/0, agents' fds %d/%d"
        .formatted(cluster.sourceAgent().descriptors(), cluster.destinationAgent().descriptors());
  }

  /**
   * Waits until no agent holds a device and nothing is frozen. An agent's other descriptors are not
   * counted: a connection that was cut off stays open until somebody notices.
   *
   * @throws IOException where something is left; the message lists it
   */
  void awaitNothingHeld() throws IOException, InterruptedException {
    await(this::held);
  }

  /** Lists what is left. */
  @FunctionalInterface
  private interface Look {
    List<String> look() throws IOException, InterruptedException;
  }

  private static void await(Look at) throws IOException, InterruptedException {
    List<String> left = new ArrayList<>();
    try {
      Waiting.until(
          "agents close the devices, and no cgroup is frozen",
          BOUND,
          LOOK_AGAIN,
          () -> {
            left.clear();
            left.addAll(at.look());
            return left.isEmpty();
          });
    } catch (GuestException e) {
      // Nothing is known of what is left.
      throw e;
    } catch (IOException e) {
      throw new IOException(e.getMessage() + "; left are " + left, e);
    }
  }

  private List<String> left() throws IOException, InterruptedException {
    List<String> left = new ArrayList<>();
    for (GuestAgent agent : agents()) {
      int descriptors = agent.descriptors();
      int usual = afterFirst.getOrDefault(agent.pid(), descriptors);
      if (descriptors > usual + OPENED_BY_FIRST_USE) {
        left.add(
            "%s: agent holds %d descriptors, and held %d after its first scenario"
                .formatted(agent.node().name(), descriptors, usual));
      }
    }
    left.addAll(held());
    return left;
  }

  private List<String> held() throws IOException, InterruptedException {
    List<String> left = new ArrayList<>();
    for (GuestAgent agent : agents()) {
      for (String link : agent.deviceDescriptors()) {
        left.add(agent.node().name() + ": agent holds " + link);
      }
      for (String cgroup : frozen(agent.node())) {
        left.add(agent.node().name() + ": frozen " + cgroup);
      }
      for (String entry :
          agent
              .node()
              .run(
                  "ls %s/journal/frozen 2>/dev/null || true"
                      .formatted(agent.node().runDirectory()))) {
        left.add(agent.node().name() + ": ledger entry " + entry);
      }
    }
    return left;
  }

  private List<GuestAgent> agents() {
    return List.of(cluster.sourceAgent(), cluster.destinationAgent());
  }

  private static List<String> frozen(GuestNode node) throws IOException, InterruptedException {
    return node.run(
        "find %s -name cgroup.events -exec grep -l 'frozen 1' {} +; true"
            .formatted(node.cgroups()));
  }
}
