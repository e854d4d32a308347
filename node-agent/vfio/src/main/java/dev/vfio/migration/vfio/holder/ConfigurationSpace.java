package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.region.RegionInfoLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * A device's ids from its PCI configuration space, which is little-endian everywhere.
 *
 * <pre>
 * 0x00 u16 vendor   0x02 u16 device   0x2c u16 subsystem vendor   0x2e u16 subsystem device
 * </pre>
 */
public final class ConfigurationSpace implements ConfigurationIds {
  private static final int IDENTITY = 0x00;
  private static final int SUBSYSTEM_IDENTITY = 0x2c;
  private static final int HEADER_BYTES = 64;

  @Override
  public Optional<String> read(Descriptor device) throws IOException {
    try (DeviceAccess access = KernelAccess.adopt("that a descriptor may be", device)) {
      return of(access);
    } catch (DeviceException noDevice) {
      return Optional.empty();
    }
  }

  static Optional<String> of(DeviceAccess access) throws AccessException {
    try {
      boolean there =
          access.deviceInfo().pci()
              && access.deviceInfo().regions() > RegionInfoLayout.PCI_CONFIG_REGION
              && access.regionInfo(RegionInfoLayout.PCI_CONFIG_REGION).size() >= HEADER_BYTES;
      if (!there) {
        return Optional.empty();
      }
      int identity = read(access, IDENTITY);
      int subsystem = read(access, SUBSYSTEM_IDENTITY);
      return Optional.of(
          String.format(
              "%04x:%04x %04x:%04x",
              identity & 0xffff, identity >>> 16, subsystem & 0xffff, subsystem >>> 16));
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return Optional.empty();
      }
      throw failure;
    }
  }

  private static int read(DeviceAccess access, int offset) throws AccessException {
    ByteBuffer value = ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int done = access.readRegion(RegionInfoLayout.PCI_CONFIG_REGION, offset, value);
    if (done != Integer.BYTES) {
      throw new AccessException(
          Reason.REFUSED, 0, "short read of the configuration space: " + done + " of 4 bytes");
    }
    return value.getInt(0);
  }
}
