package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.List;
import java.util.Objects;

/**
 * What a destination was asked to prepare for.
 *
 * @param key of the session
 * @param migrationName "namespace/name", for people
 * @param device as users name it
 * @param sourceNode the only node that may send the state
 * @param sourceDevice the source's device
 * @param sourceWindows the source's windows, by address
 * @param streams connections that the source will open, at least 1
 */
public record DestinationSpec(
    SessionKey key,
    String migrationName,
    String device,
    String sourceNode,
    DeviceDescription sourceDevice,
    List<WindowSpec> sourceWindows,
    int streams) {
  public DestinationSpec {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(device, "device");
    Objects.requireNonNull(sourceDevice, "sourceDevice");
    sourceWindows = List.copyOf(sourceWindows);
  }
}
