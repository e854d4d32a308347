package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.MappedArea;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Mapping;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.Optional;

/** A part of a region, mapped through the descriptor that the server passed. */
final class MappedFileArea implements MappedArea, AutoCloseable {
  private static final Logger LOG = System.getLogger(MappedFileArea.class.getName());

  private final RegionPart part;
  private final Mapping mapping;

  private MappedFileArea(RegionPart part, Mapping mapping) {
    this.part = part;
    this.mapping = mapping;
  }

  /**
   * Maps the part where that is possible.
   *
   * @param base of the region in the file, bytes
   */
  static Optional<MappedFileArea> tryMap(Descriptor file, long base, RegionPart part) {
    try {
      long offset = Math.addExact(base, part.offset());
      return Optional.of(new MappedFileArea(part, Mapping.of(file, offset, part.size())));
    } catch (IOException | ArithmeticException unusable) {
      LOG.log(Level.DEBUG, "messages instead of a mapping: " + unusable.getMessage());
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
    try {
      mapping.read(offset - part.offset(), into);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) throws AccessException {
    try {
      mapping.write(offset - part.offset(), from);
    } catch (IOException failure) {
      throw unusable(failure);
    }
  }

  private static AccessException unusable(IOException failure) {
    return new AccessException(
        Reason.VIOLATION, 0, "the mapped data area: " + failure.getMessage(), failure);
  }

  @Override
  public void close() {
    mapping.close();
  }
}
