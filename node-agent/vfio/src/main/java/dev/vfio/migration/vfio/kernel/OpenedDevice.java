package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.linux.DriverFile;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * An open device and what must stay open beside it. The device is closed first: its driver may
 * reset it at the last close, and its memory is then still mapped.
 *
 * @param companions by name, in the order in which a workload is given them
 * @param addressSpace id of the iommufd's address space that the device is attached to
 */
record OpenedDevice(DriverFile device, Map<String, DriverFile> companions, OptionalInt addressSpace)
    implements AutoCloseable {

  OpenedDevice(DriverFile device, LinkedHashMap<String, DriverFile> companions) {
    this(device, companions, OptionalInt.empty());
  }

  @Override
  public void close() {
    device.close();
    companions.values().forEach(DriverFile::close);
  }
}
