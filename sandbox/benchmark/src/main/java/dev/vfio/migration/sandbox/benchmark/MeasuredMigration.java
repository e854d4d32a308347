package dev.vfio.migration.sandbox.benchmark;

import dev.vfio.migration.sandbox.cluster.DevicePair;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * One migration through operator, agents and devices, as a user starts it, with its times. The
 * times of the devices are those of their own logs.
 *
 * @param shape of the device
 * @param appliedToSucceededNanos from the apply until status.phase was Succeeded
 * @param downtimeNanos from the pause of the workload to RUNNING at the destination
 * @param copyNanos from STOPNCOPY at the source to RESUME_COMPLETED at the destination
 * @param transferredBytes payload of the state stream
 * @param verified whether the destination verified everything it got
 */
record MeasuredMigration(
    DeviceShape shape,
    long appliedToSucceededNanos,
    long downtimeNanos,
    long copyNanos,
    long transferredBytes,
    boolean verified) {
  private static final Duration BOUND = Duration.ofMinutes(15);

  /** How a migration is done. */
  enum Mode {
    Live,
    Cold
  }

  /** Moves a new device of that shape and ends its processes. */
  static MeasuredMigration run(SandboxCluster cluster, DeviceShape shape, Mode mode, int streams)
      throws IOException, InterruptedException {
    DevicePair pair = cluster.devices(shape, shape);
    try {
      return migrate(cluster, pair, mode, streams);
    } finally {
      pair.end();
    }
  }

  private static MeasuredMigration migrate(
      SandboxCluster cluster, DevicePair pair, Mode mode, int streams) throws IOException {
    long begin = System.nanoTime();
    MigrationView last =
        AppliedMigration.apply(
                cluster.client(),
                "bench",
                AppliedMigration.object(
                    "default", "bench-" + pair.shape().name(), spec(pair.shape(), mode, streams)),
                BOUND)
            .awaitPhase("Succeeded");
    long end = System.nanoTime();
    HandoverEvidence evidence = pair.evidence();
    if (!evidence.violations().isEmpty()) {
      throw new IOException("the handover broke its rules: " + evidence.violations());
    }
    return new MeasuredMigration(
        pair.shape(),
        end - begin,
        evidence.downtimeNanos().orElseThrow(),
        entry(evidence.destination(), "RESUME_COMPLETED") - entry(evidence.source(), "STOPNCOPY"),
        last.transferredBytes(),
        pair.destination().console().verify().ok());
  }

  private static long entry(List<DeviceEvent> log, String state) throws IOException {
    return log.stream()
        .filter(event -> event.entersState(state))
        .mapToLong(DeviceEvent::nanos)
        .findFirst()
        .orElseThrow(() -> new IOException("no device was ever in " + state));
  }

  private static Map<String, Object> spec(DeviceShape shape, Mode mode, int streams) {
    return Map.of(
        "source", new NodeDevice(SandboxCluster.SOURCE_NODE, shape.id()).spec(),
        "destination", new NodeDevice(SandboxCluster.DESTINATION_NODE, shape.id()).spec(),
        "convergence", Map.of("mode", mode.name()),
        "timeouts", Map.of("switchingOver", "10m"),
        "transfer", Map.of("streams", streams));
  }

  /** Device state per second while the device stood still. */
  double bytesPerSecond() {
    return shape.stateSize() / (copyNanos / 1e9);
  }
}
