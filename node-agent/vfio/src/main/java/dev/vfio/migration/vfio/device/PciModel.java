package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.Optional;

/**
 * The model of a PCI device: {@code vendor:device:subsystem-vendor:subsystem-device}, four
 * hexadecimal digits each, from its configuration space, which is little-endian everywhere.
 *
 * <pre>
 * 0x00 u16 vendor   0x02 u16 device   0x2c u16 subsystem vendor   0x2e u16 subsystem device
 * </pre>
 */
public final class PciModel {
  public static final String UNKNOWN = "unknown";

  private static final int IDENTITY = 0x00;
  private static final int SUBSYSTEM_IDENTITY = 0x2c;
  private static final int HEADER_BYTES = 64;

  private PciModel() {}

  /** The ids in a device's configuration space, each unsigned 16 bits. */
  public record Ids(int vendor, int device, int subsystemVendor, int subsystemDevice) {
    private static Ids of(int identity, int subsystem) {
      return new Ids(identity & 0xffff, identity >>> 16, subsystem & 0xffff, subsystem >>> 16);
    }
  }

  /** The model, or {@link #UNKNOWN} where the device has no configuration space. */
  public static String of(String device, DeviceAccess access) throws DeviceException {
    try {
      return ids(access)
          .map(
              ids ->
                  String.format(
                      Locale.ROOT,
                      "%04x:%04x:%04x:%04x",
                      ids.vendor(),
                      ids.device(),
                      ids.subsystemVendor(),
                      ids.subsystemDevice()))
          .orElse(UNKNOWN);
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(device, "its configuration space", failure);
    }
  }

  /**
   * The ids; empty where the device has no configuration space, or refuses to show it.
   *
   * @throws AccessException UNREACHABLE or VIOLATION
   */
  public static Optional<Ids> ids(DeviceAccess access) throws AccessException {
    try {
      boolean there =
          access.deviceInfo().pci()
              && access.deviceInfo().regions() > RegionInfoLayout.PCI_CONFIG_REGION
              && access.regionInfo(RegionInfoLayout.PCI_CONFIG_REGION).size() >= HEADER_BYTES;
      return there
          ? Optional.of(Ids.of(read(access, IDENTITY), read(access, SUBSYSTEM_IDENTITY)))
          : Optional.empty();
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
