package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What an agent has on disk of one migration, looked at in its guest: how far its session has come,
 * whatever the operator knows of that.
 *
 * @param uid of the DeviceMigration
 */
record GuestJournal(GuestNode node, String uid) {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(200);

  /** Waits until the source's session has journalled that entry. */
  void awaitSource(String entry) throws IOException, InterruptedException {
    await("source", entry);
  }

  /** Waits until the destination's session has journalled that entry. */
  void awaitDestination(String entry) throws IOException, InterruptedException {
    await("destination", entry);
  }

  private void await(String role, String entry) throws IOException, InterruptedException {
    Waiting.until(
        "the %s's session of %s on %s journals %s".formatted(role, uid, node.name(), entry),
        BOUND,
        LOOK_AGAIN,
        () ->
            node.holds(
                "cat %s/%s.*.%s.journal | grep -aqF '\"entry\":\"%s\"'"
                    .formatted(directory(), uid, role, entry)));
  }

  /**
   * Waits until the agent has noted that a waiting workload is told to take its device.
   *
   * @param device at the destination
   */
  void awaitTold(LabDevice device) throws IOException, InterruptedException {
    Waiting.until(
        "the agent of %s tells a workload to take %s".formatted(node.name(), device.id()),
        BOUND,
        LOOK_AGAIN,
        () ->
            node.holds("grep -q TOLD %s/handed-over/%s.json".formatted(directory(), device.id())));
  }

  private Path directory() {
    return node.runDirectory().resolve("journal");
  }
}
