package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.DriverMapping;
import dev.vfio.migration.vfio.linux.ErrnoException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;

/**
 * A part of a region, mapped into this process.
 *
 * @param part of the region, whole pages
 */
record MappedArea(RegionPart part, DriverMapping mapping) implements DirectArea {

  /**
   * Maps the whole pages of a part; empty where it has none, lies outside the region, or the driver
   * does not map it after all.
   */
  static Optional<MappedArea> of(
      DriverFile device, RegionInfo region, RegionPart part, int pageSize) {
    if (region.offset() < 0
        || region.offset() % pageSize != 0
        || region.offset() > Long.MAX_VALUE - region.size()
        || part.offset() < 0
        || part.offset() > region.size()
        || part.size() > region.size() - part.offset()) {
      return Optional.empty();
    }
    long first = (part.offset() + pageSize - 1) / pageSize * pageSize;
    long end = (part.offset() + part.size()) / pageSize * pageSize;
    if (end <= first) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new MappedArea(
              new RegionPart(first, end - first),
              DriverMapping.of(device, region.offset() + first, end - first)));
    } catch (ErrnoException refused) {
      // Reads and writes reach the whole region, too.
      return Optional.empty();
    }
  }

  @Override
  public long offset() {
    return part.offset();
  }

  @Override
  public long size() {
    return part.size();
  }

  @Override
  public void read(long offset, ByteBuffer into) throws AccessException {
    requireInside(offset, into);
    try {
      mapping.read(offset - part.offset(), into);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) throws AccessException {
    requireInside(offset, from);
    try {
      mapping.write(offset - part.offset(), from);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  private void requireInside(long offset, ByteBuffer buffer) {
    Objects.checkFromIndexSize(offset - part.offset(), buffer.remaining(), part.size());
  }

  private static AccessException unusable(IOException failure) {
    int errno = ErrnoException.errnoOf(failure);
    return new AccessException(
        Reason.UNREACHABLE, errno, "the device's mapped memory: " + failure.getMessage(), failure);
  }
}
