package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DirtyBitmap;
import dev.vfio.migration.vfio.region.RegionData.Announced;
import java.nio.ByteBuffer;

/**
 * Finds out where a driver of the 2018 interface puts what it hands out. The text names {@code
 * data.offset} and {@code data.size} and gives no order: most drivers stage a chunk when the offset
 * is read, others when the size is.
 *
 * <p>The offset is read first, because a driver that stages on it would hand out a chunk for each
 * read. If it is no place for data although a size is announced, the driver had not set it yet, and
 * it is read again. A driver that behaved so with its first chunk is asked for the size first from
 * then on, because the offset of the chunk before would look valid. The same holds for a bitmap:
 * without a read of the size it counts as placed only if the place, or what lies there, has changed
 * since it was asked for.
 */
final class DataPlace {
  /** No place for data. */
  private static final long NOWHERE = 0;

  /** Bytes that are compared at a place. */
  private static final int MAX_COMPARED = 4096;

  private static final int PAGE = 4096;

  private final RegionRegisters registers;
  private final RegionData data;
  private final MigrationRegion region;

  /** Whether the driver set the place of its first chunk when the size was read. */
  private boolean setBySize;

  /** Whether the first offset that was read for some chunk was right. */
  private boolean setByOffset;

  /** A chunk that the driver staged while it was asked for a bitmap; null for none. */
  private Announced staged;

  /** Whether a bitmap was seen at its place before the size was read. */
  private boolean bitmapsSetAtOnce;

  /** Where the last chunk or bitmap lay, of a driver that sets its places by the size. */
  private long last;

  /** What lay there before a bitmap was asked for; null where that is not known. */
  private ByteBuffer before;

  /** Why nothing more can be read; null while it can. */
  private String unclear;

  DataPlace(RegionRegisters registers, RegionData data, MigrationRegion region) {
    this.registers = registers;
    this.data = data;
    this.region = region;
  }

  /** Asks for the next chunk. The caller checks that it lies in the region. */
  Announced announced() throws AccessException {
    if (unclear != null) {
      throw new AccessException(Reason.REFUSED, 0, unclear);
    }
    if (staged != null) {
      Announced found = staged;
      staged = null;
      return found;
    }
    if (setBySize) {
      long size = size();
      return size == 0 ? Announced.NOTHING : announced(offset(), size);
    }
    long offset = offset();
    long size = size();
    if (size == 0 || holds(offset, size)) {
      setByOffset |= size != 0;
      return new Announced(offset, size);
    }
    long later = offset();
    setBySize = !setByOffset && holds(later, size);
    return announced(later, size);
  }

  private Announced announced(long offset, long size) {
    last = offset;
    return new Announced(offset, size);
  }

  /**
   * Remembers what lies at the place of the last chunk, before a bitmap is asked for.
   *
   * @param bytes of the largest bitmap that may come
   */
  void beforeBitmap(long bytes) throws AccessException {
    before = null;
    if (setBySize && !bitmapsSetAtOnce && holds(last, 1)) {
      before =
          whatLiesAtTheLast(Math.min(bytes, Math.min(MAX_COMPARED, region.info().size() - last)));
    }
  }

  private ByteBuffer whatLiesAtTheLast(long bytes) throws AccessException {
    ByteBuffer found = ByteBuffer.allocateDirect((int) bytes);
    try {
      data.read(last, found);
      return found.flip();
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw failure;
      }
      return null;
    }
  }

  private boolean wasSetSince(long offset) throws AccessException {
    return offset != last
        || (before != null && !before.equals(whatLiesAtTheLast(before.remaining())));
  }

  /**
   * Where a bitmap lies that the driver says it has copied. The offset is read twice, but not of a
   * driver that stages a chunk when it is read. If the driver staged a chunk instead of a bitmap,
   * that becomes the next chunk; if it is unclear which, no further chunk is read.
   *
   * @param copied pages
   * @return a place outside the region's data where there is none
   */
  long ofBitmap(long copied) throws AccessException {
    long bytes = DirtyBitmap.bytesFor(copied);
    long offset = offset();
    boolean there = holds(offset, bytes);
    if (setByOffset || (there && (!setBySize || bitmapsSetAtOnce))) {
      return offset;
    }
    if (there && wasSetSince(offset)) {
      bitmapsSetAtOnce = true;
      return offset;
    }
    long size = size();
    if (size == 0) {
      return offset;
    }
    long later = offset();
    if (size == bytes || size == roundedUp(bytes, Long.BYTES)) {
      return setBySize ? announced(later, size).offset() : later;
    }
    if (countsTheBitmap(size, copied, bytes)) {
      unclear =
          String.format(
              "after a bitmap of %s bytes was asked for it announced %s (data.size), which may be"
                  + " that bitmap or a chunk of state",
              bytes, size);
    } else if (holds(later, size)) {
      staged = announced(later, size);
    }
    return NOWHERE;
  }

  /** Whether that may be the size of a bitmap in another unit than bytes. */
  private boolean countsTheBitmap(long size, long copied, long bytes) {
    return size == copied
        || size == bytes * Byte.SIZE
        || size == roundedUp(bytes, PAGE)
        || size == region.dataArea();
  }

  private static long roundedUp(long bytes, int unit) {
    return (bytes + unit - 1) / unit * unit;
  }

  /** Forgets what was staged. */
  void abandon() {
    staged = null;
    unclear = null;
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
