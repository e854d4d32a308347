package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import java.io.IOException;
import java.time.Duration;

/**
 * The two ends of one migration: the source's device with its running workload, and the device that
 * waits at the destination.
 */
public record DevicePair(DeviceShape shape, LaunchedDevice source, LaunchedDevice destination) {
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  /** What both logs prove now. */
  public HandoverEvidence evidence() throws IOException {
    return HandoverEvidence.read(source.log(), destination.log());
  }

  /** Ends both processes. */
  public void end() {
    source.process().terminate();
    destination.process().terminate();
    source.process().end(END_TIMEOUT);
    destination.process().end(END_TIMEOUT);
  }
}
