package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.linux.Descriptor;
import java.io.IOException;
import java.util.Optional;

/** Reads a PCI device's ids through a descriptor of the device. Changes nothing. */
@FunctionalInterface
public interface ConfigurationIds {

  /**
   * The device's ids from its configuration space.
   *
   * @param device a duplicate, taken over: it is closed when this returns
   * @return {@code vendor:device subvendor:subdevice}, four hexadecimal digits each; empty where
   *     the device has no configuration space
   */
  Optional<String> read(Descriptor device) throws IOException;
}
