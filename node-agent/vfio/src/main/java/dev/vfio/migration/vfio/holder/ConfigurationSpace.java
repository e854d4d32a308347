package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.PciModel;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.linux.Descriptor;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;

/** A device's ids from its PCI configuration space, as sysfs writes them. */
public final class ConfigurationSpace implements ConfigurationIds {

  @Override
  public Optional<String> read(Descriptor device) throws IOException {
    try (DeviceAccess access = KernelAccess.adopt("that a descriptor may be", device)) {
      return PciModel.ids(access)
          .map(
              ids ->
                  String.format(
                      Locale.ROOT,
                      "%04x:%04x %04x:%04x",
                      ids.vendor(),
                      ids.device(),
                      ids.subsystemVendor(),
                      ids.subsystemDevice()));
    } catch (DeviceException noDevice) {
      return Optional.empty();
    }
  }
}
