package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.region.RegionData.Announced;

/**
 * Where a driver of the 2018 interface puts what it hands out. The text names {@code data.offset}
 * and {@code data.size} and gives no order: most drivers stage a chunk when the offset is read,
 * others when the size is.
 *
 * <p>The offset is read first, for a driver that stages on it would hand out a chunk for each read.
 * Where it is no place for data and a size is announced, it was not set yet: it is read again. A
 * driver that showed this with its first chunk is asked for the size first from then on, because an
 * offset of the chunk before would look as good as the right one.
 */
final class DataPlace {
  private final RegionRegisters registers;
  private final MigrationRegion region;

  /** Whether the first chunk was announced at a place that was set when the size was read. */
  private boolean setBySize;

  /** Whether a chunk was announced at a place that was right at once. */
  private boolean setByOffset;

  /** A chunk that was staged while a bitmap was asked for; null for none. */
  private Announced staged;

  DataPlace(RegionRegisters registers, MigrationRegion region) {
    this.registers = registers;
    this.region = region;
  }

  /** Asks for the next chunk. Whether it lies in the region is for the caller to check. */
  Announced announced() throws AccessException {
    if (staged != null) {
      Announced found = staged;
      staged = null;
      return found;
    }
    if (setBySize) {
      long size = size();
      return size == 0 ? Announced.NOTHING : new Announced(offset(), size);
    }
    long offset = offset();
    long size = size();
    if (size == 0 || holds(offset, size)) {
      setByOffset |= size != 0;
      return new Announced(offset, size);
    }
    long later = offset();
    setBySize = !setByOffset && holds(later, size);
    return new Announced(later, size);
  }

  /**
   * Where a bitmap lies that the driver says it has copied. It is asked for twice as well, but not
   * where reading the offset stages a chunk, which would be lost. Where it turns out that a chunk
   * was staged and no bitmap, that is the next chunk.
   *
   * @param bytes of the bitmap
   */
  long ofBitmap(long bytes) throws AccessException {
    long offset = offset();
    if (holds(offset, bytes) || setByOffset) {
      return offset;
    }
    long size = size();
    if (size == 0) {
      return offset;
    }
    long later = offset();
    long inWords = (bytes + Long.BYTES - 1) / Long.BYTES * Long.BYTES;
    if (size == bytes || size == inWords) {
      return later;
    }
    staged = holds(later, size) ? new Announced(later, size) : null;
    return offset;
  }

  /** What was staged is nobody's any more. */
  void abandon() {
    staged = null;
  }

  private boolean holds(long offset, long size) {
    return size > 0 && region.holdsData(offset, size);
  }

  private long offset() throws AccessException {
    return registers.read(MigrationRegionLayout.DATA_OFFSET);
  }

  private long size() throws AccessException {
    return registers.read(MigrationRegionLayout.DATA_SIZE);
  }
}
