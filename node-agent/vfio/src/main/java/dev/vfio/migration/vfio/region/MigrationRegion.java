package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import java.util.List;
import java.util.Optional;

/**
 * The migration region of a device, found and checked.
 *
 * @param format which of the two it is
 * @param info as the device gave it
 * @param mappableParts parts that may be mapped
 */
record MigrationRegion(RegionFormat format, RegionInfo info, List<RegionPart> mappableParts) {
  /**
   * More than any real device has, which are nine regions of PCI and a few of its own. Keeps a
   * device that says 2^32-1, or is slow to describe each region, from costing hours.
   */
  static final int MAX_REGIONS = 64;

  /** Bytes for data and bitmaps, at least 1. */
  long dataArea() {
    return info.size() - format.structureBytes();
  }

  /**
   * Whether the bytes lie behind the structure and inside the region.
   *
   * @param offset unsigned
   * @param size unsigned
   */
  boolean holdsData(long offset, long size) {
    return Long.compareUnsigned(offset, format.structureBytes()) >= 0
        && Long.compareUnsigned(offset, info.size()) <= 0
        && Long.compareUnsigned(size, info.size() - offset) <= 0;
  }

  /**
   * Finds the first usable region of the format among the device-specific ones. If there is one,
   * what the driver says of its other regions does not matter.
   *
   * @throws DeviceException NOT_MIGRATABLE where there is none, PROTOCOL_VIOLATION where a region's
   *     description is malformed, UNREACHABLE
   */
  static MigrationRegion find(String device, DeviceAccess access, RegionFormat format)
      throws DeviceException {
    try {
      DeviceInfo deviceInfo = access.deviceInfo();
      if (deviceInfo.regions() > MAX_REGIONS) {
        throw Kind.PROTOCOL_VIOLATION.exception(
            "device %s says that it has %s regions; at most %s are looked at. Nothing was done"
                + " to the device.",
            device, deviceInfo.regions(), MAX_REGIONS);
      }
      AccessException refused = null;
      DeviceException malformed = null;
      for (int index = RegionInfoLayout.PCI_REGIONS; index < deviceInfo.regions(); index++) {
        try {
          Optional<MigrationRegion> found =
              examine(device, access.regionInfo(index), index, format);
          if (found.isPresent()) {
            return found.get();
          }
        } catch (AccessException failure) {
          if (failure.reason() != Reason.REFUSED) {
            throw failure;
          }
          // A region that the driver does not describe is skipped; another may be usable.
          refused = DeviceFailures.isUnknown(failure.errno()) ? refused : failure;
        } catch (DeviceException badlyDescribed) {
          malformed = malformed == null ? badlyDescribed : malformed;
        }
      }
      if (malformed != null) {
        throw malformed;
      }
      if (refused != null) {
        throw refused;
      }
      throw Kind.NOT_MIGRATABLE.exception(
          "device %s has no migration region: none of its %s regions has %s. Nothing was done"
              + " to the device; its driver has to offer %s.",
          device, deviceInfo.regions(), format.signature(), format.title());
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(device, "its regions", failure);
    }
  }

  private static Optional<MigrationRegion> examine(
      String device, RegionInfo info, int index, RegionFormat format) throws DeviceException {
    try {
      if (info.index() != index) {
        throw new CapabilityChain.MalformedException(
            "asked for it, and was told of region " + Integer.toUnsignedString(info.index()));
      }
      CapabilityChain chain = CapabilityChain.of(info);
      Optional<CapabilityChain.Type> type = chain.type();
      if (type.isEmpty() || !format.isOf(type.get())) {
        return Optional.empty();
      }
      if (info.size() <= format.structureBytes()) {
        throw new CapabilityChain.MalformedException(
            String.format(
                "its size of %s bytes leaves no room for data behind the %s bytes of registers, or"
                    + " is absurd",
                Long.toUnsignedString(info.size()), format.structureBytes()));
      }
      if (!info.readable() || !info.writable()) {
        throw new CapabilityChain.MalformedException("it is not both readable and writable");
      }
      return Optional.of(new MigrationRegion(format, info, chain.mappableParts()));
    } catch (CapabilityChain.MalformedException malformed) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          String.format(
              "device %s describes its region %s against the rules: %s. Nothing was done to the"
                  + " device; its driver has to be mended.",
              device, index, malformed.getMessage()),
          malformed);
    }
  }
}
