package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.region.RegionData.Announced;
import java.nio.ByteBuffer;

/**
 * Where a driver of the 2018 interface puts what it hands out. The text names {@code data.offset}
 * and {@code data.size} and gives no order: most drivers stage a chunk when the offset is read,
 * others when the size is.
 *
 * <p>The offset is read first, for a driver that stages on it would hand out a chunk for each read.
 * Where it is no place for data and a size is announced, it was not set yet: it is read again. A
 * driver that showed this with its first chunk is asked for the size first from then on, because an
 * offset of the chunk before would look as good as the right one. The same holds for a bitmap: it
 * counts as placed without a read of the size only where the place, or what lies there, is another
 * since it was asked for.
 */
final class DataPlace {
  /** No place for data. */
  private static final long NOWHERE = 0;

  /** So much of what lies at a place is compared. */
  private static final int MAX_COMPARED = 4096;

  private static final int PAGE = 4096;

  private final RegionRegisters registers;
  private final RegionData data;
  private final MigrationRegion region;

  /** Whether the first chunk was announced at a place that was set when the size was read. */
  private boolean setBySize;

  /** Whether a chunk was announced at a place that was right at once. */
  private boolean setByOffset;

  /** A chunk that was staged while a bitmap was asked for; null for none. */
  private Announced staged;

  /** Whether a bitmap was seen at its place before the size was read. */
  private boolean bitmapsSetAtOnce;

  /** Where the last chunk or bitmap of a driver that sets its places by the size lay. */
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

  /** Asks for the next chunk. Whether it lies in the region is for the caller to check. */
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
   * To be called before a bitmap is asked for: a place that is still that of the chunk before may
   * not have been set yet.
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
   * Where a bitmap lies that the driver says it has copied. It is asked for twice as well, but not
   * where reading the offset stages a chunk, which would be lost. Where it turns out that a chunk
   * was staged and no bitmap, that is the next chunk; where that cannot be told, no chunk is read
   * any more.
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

  /** Whether that may be a bitmap's size, counted in another way than in bytes. */
  private boolean countsTheBitmap(long size, long copied, long bytes) {
    return size == copied
        || size == bytes * Byte.SIZE
        || size == roundedUp(bytes, PAGE)
        || size == region.dataArea();
  }

  private static long roundedUp(long bytes, int unit) {
    return (bytes + unit - 1) / unit * unit;
  }

  /** What was staged is nobody's any more. */
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
