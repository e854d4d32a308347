package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.holder.ConfigurationIds;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.region.RegionInfoLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/** Reads a device's PCI ids from the configuration space behind its descriptor. */
public final class ConfigurationSpaceIds implements ConfigurationIds {
  private static final int IDENTITY = 0x00;
  private static final int SUBSYSTEM_IDENTITY = 0x2c;
  private static final int HEADER_BYTES = 64;

  @Override
  public Optional<String> read(Descriptor device) throws IOException {
    // Never closed: the descriptor stays the caller's.
    DriverFile file = new DriverFile(device);
    ByteBuffer structure =
        ByteBuffer.allocateDirect(RegionInfoLayout.SIZE).order(ByteOrder.nativeOrder());
    structure
        .putInt(RegionInfoLayout.ARGSZ, RegionInfoLayout.SIZE)
        .putInt(RegionInfoLayout.INDEX, RegionInfoLayout.PCI_CONFIG_REGION);
    VfioRequest request = VfioRequest.VFIO_DEVICE_GET_REGION_INFO;
    try {
      file.ioctl(request.name(), request.code(), structure);
    } catch (ErrnoException refused) {
      if (refused.is(Errno.EINVAL)) {
        return Optional.empty();
      }
      throw refused;
    }
    RegionInfo region = RegionInfoLayout.parse(structure);
    if (region.size() < HEADER_BYTES) {
      return Optional.empty();
    }
    ByteBuffer header = ByteBuffer.allocateDirect(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    if (file.readAt(region.offset(), header) < HEADER_BYTES) {
      return Optional.empty();
    }
    int identity = header.getInt(IDENTITY);
    int subsystem = header.getInt(SUBSYSTEM_IDENTITY);
    return Optional.of(
        String.format(
            "%04x:%04x %04x:%04x",
            identity & 0xffff, identity >>> 16, subsystem & 0xffff, subsystem >>> 16));
  }
}
