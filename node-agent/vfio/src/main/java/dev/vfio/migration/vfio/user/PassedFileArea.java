package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.linux.SharedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A part of a region in the file whose descriptor the server passed.
 *
 * @param part of the region
 * @param base where the region starts in the file, bytes
 */
record PassedFileArea(RegionPart part, long base, SharedFile file) implements DirectArea {

  /** Whether the file reaches as far as the part. */
  static boolean fits(RegionPart part, long base, long fileSize) {
    return base >= 0
        && part.size() <= fileSize
        && part.offset() <= fileSize - part.size()
        && base <= fileSize - part.size() - part.offset();
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
      file.read(base + offset, into);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) throws AccessException {
    requireInside(offset, from);
    try {
      file.write(base + offset, from);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  private void requireInside(long offset, ByteBuffer buffer) {
    Objects.checkFromIndexSize(offset - part.offset(), buffer.remaining(), part.size());
  }

  private static AccessException unusable(IOException failure) {
    return new AccessException(
        Reason.VIOLATION,
        0,
        "the data area that the server passed: " + failure.getMessage(),
        failure);
  }
}
