package dev.vfio.migration.agent.machine;

import java.util.List;
import java.util.Objects;

/**
 * What a source was asked to do. Without the stream's token: that is a secret and lives in memory
 * only.
 *
 * @param key of the session
 * @param migrationName "namespace/name", for people
 * @param device as users name it
 * @param destinationNode name of the destination's node
 * @param destinationHost address of its agent
 * @param destinationPort its state port, 1 to 65535
 * @param mode whether state is copied while the workload runs
 * @param streams connections, at least 1
 * @param bandwidthLimit payload bytes per second, 0 for none
 * @param thresholdBytes written to the device before pending bytes are read, at least 0
 * @param windows those that the destination is prepared for, by address
 */
public record SourceSpec(
    SessionKey key,
    String migrationName,
    String device,
    String destinationNode,
    String destinationHost,
    int destinationPort,
    Mode mode,
    int streams,
    long bandwidthLimit,
    long thresholdBytes,
    List<WindowSpec> windows) {
  public SourceSpec {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(device, "device");
    Objects.requireNonNull(mode, "mode");
    // A journal of an earlier release has no windows, and nobody asks it for them.
    windows = windows == null ? List.of() : List.copyOf(windows);
  }
}
