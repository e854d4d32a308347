package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.linux.Descriptor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * What a device that is open here consists of. The descriptors stay their owner's: whoever is
 * handed them gets duplicates.
 *
 * @param device the device's own descriptor
 * @param companions by name, in a fixed order: {@code group} and {@code container}, or {@code
 *     iommufd}; none for a device that was adopted
 * @param ioas id of the I/O address space in {@code iommufd}; empty for a group's device
 * @param migrationInterface what carries its state
 */
public record DeviceDescriptors(
    Descriptor device,
    Map<String, Descriptor> companions,
    OptionalInt ioas,
    MigrationInterface migrationInterface) {
  public DeviceDescriptors {
    companions = Collections.unmodifiableMap(new LinkedHashMap<>(companions));
  }
}
