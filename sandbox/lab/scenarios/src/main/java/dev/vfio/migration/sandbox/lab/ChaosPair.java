package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Two devices that the rounds of one kind move there and back: a program owns the one, another
 * waits for the other. Used by one thread.
 */
final class ChaosPair implements AutoCloseable {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(200);

  private final LabCluster cluster;
  private final Fixtures fixtures;
  private final List<LabWorkload> waitings = new ArrayList<>();
  private LabDevice source;
  private LabDevice destination;
  private LabWorkload owner;
  private int programs;

  private ChaosPair(LabCluster cluster, DeviceKind kind, Fixtures fixtures)
      throws IOException, InterruptedException {
    this.cluster = cluster;
    this.fixtures = fixtures;
    this.source = fixtures.device(cluster.source(), kind);
    this.destination = fixtures.device(cluster.destination(), kind);
    launchWaiting();
    launchOwner();
    awaitConnected();
  }

  /**
   * Returns when the owner works and the other one waits.
   *
   * @param name of programs and logs
   */
  static ChaosPair create(LabCluster cluster, DeviceKind kind, String name)
      throws IOException, InterruptedException {
    Fixtures fixtures = new Fixtures(cluster.workload(), name);
    try {
      return new ChaosPair(cluster, kind, fixtures);
    } catch (IOException | InterruptedException | RuntimeException e) {
      fixtures.close();
      throw e;
    }
  }

  LabDevice source() {
    return source;
  }

  LabDevice destination() {
    return destination;
  }

  LabWorkload owner() {
    return owner;
  }

  /** The program that waits, or that took the device. */
  LabWorkload waiting() {
    return waitings.get(waitings.size() - 1);
  }

  /** Each program that waited in this round, those that were killed first. */
  List<LabWorkload> waitings() {
    return List.copyOf(waitings);
  }

  GuestAgent sourceAgent() {
    return cluster.agentOf(source.node());
  }

  GuestAgent destinationAgent() {
    return cluster.agentOf(destination.node());
  }

  /** Starts the program that waits, as the first or after the one before it was killed. */
  void launchWaiting() throws IOException, InterruptedException {
    waitings.add(fixtures.waiting(destination, "waiting-" + ++programs));
  }

  private void launchOwner() throws IOException, InterruptedException {
    owner =
        fixtures.owner(
            cluster.workload(), source, "owner-" + ++programs, LabWorkload.Window.USUAL, "");
  }

  private void awaitConnected() throws IOException, InterruptedException {
    LabWorkload last = waiting();
    Waiting.until(
        "the waiting program is connected to its agent",
        BOUND,
        LOOK_AGAIN,
        () -> last.timesPrinted("CONNECTED") > last.timesPrinted("DISCONNECTED"));
  }

  /**
   * Makes both ends ready for the next round: the device goes on from where it is.
   *
   * @throws IOException where that is not to be had; then the pair is to be made anew
   */
  void prepareNext() throws IOException, InterruptedException {
    LabWorkload last = waiting();
    if (last.printed("TAKEN") && last.alive()) {
      LabDevice moved = destination;
      destination = source;
      source = moved;
      owner.end();
      owner = last;
      waitings.clear();
      launchWaiting();
    } else {
      if (!owner.alive()) {
        launchOwner();
      }
      if (last.printed("RECEIVED") || !last.alive()) {
        last.end();
        launchWaiting();
      }
      LabWorkload now = waiting();
      waitings.clear();
      waitings.add(now);
    }
    awaitConnected();
  }

  @Override
  public void close() throws IOException {
    fixtures.close();
  }
}
