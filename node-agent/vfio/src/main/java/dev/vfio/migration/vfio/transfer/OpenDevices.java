package dev.vfio.migration.vfio.transfer;

import java.util.Optional;

/** The devices that are open in this process. Safe for use by several threads. */
@FunctionalInterface
public interface OpenDevices {

  /** What the device of that name consists of; empty where it is not open here. */
  Optional<DeviceDescriptors> open(String id);
}
