package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.linux.DriverFile;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * An open device and what must stay open beside it. Closed with the device first: a driver may
 * reset it at the last close, which it then does while its memory is still mapped.
 *
 * @param companions by name, in the order in which they are handed over
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
