package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The data behind the registers of a migration region: through direct areas as far as the device
 * offers them, through trapped access otherwise, in one bulk copy for each stretch of either kind.
 * A short access is an error. A chunk that is larger than the memory to be spent on one is read in
 * parts.
 */
final class RegionData {
  /**
   * A chunk that the device announces.
   *
   * @param offset in the region, unsigned
   * @param size bytes, unsigned; 0 for none, and the offset does not count
   */
  record Announced(long offset, long size) {
    static final Announced NOTHING = new Announced(0, 0);
  }

  /** Asks the device for its next chunk, by its registers. */
  @FunctionalInterface
  interface Announcement {
    Announced ask() throws AccessException;
  }

  /**
   * Bytes of one part of a chunk. A region may be as large as the device's memory, and two parts
   * are in memory at a time.
   */
  static final int MAX_AT_ONCE = 16 << 20;

  private final DeviceAccess access;
  private final MigrationRegion region;
  private final List<DirectArea> areas;

  /** Where the next part of the current chunk lies. */
  private long next;

  private long unread;

  RegionData(DeviceAccess access, MigrationRegion region, List<DirectArea> areas) {
    this.access = access;
    this.region = region;
    this.areas = List.copyOf(areas);
  }

  /** The largest chunk, or part of one, in bytes. */
  long maxChunkBytes() {
    return Math.min(region.dataArea(), MAX_AT_ONCE);
  }

  /** Bytes that are left of the current chunk. */
  long unread() {
    return unread;
  }

  /** Forgets what is left of the current chunk. */
  void abandon() {
    unread = 0;
  }

  /** Fills the rest of the buffer from an offset that was checked to lie in the data area. */
  void read(long offset, ByteBuffer into) throws AccessException {
    stretches(
        offset,
        into,
        areas,
        (at, piece, area) -> {
          if (area != null) {
            area.read(at, piece);
          } else {
            int size = piece.remaining();
            requireWhole("read", size, access.readRegion(region.info().index(), at, piece));
          }
        });
  }

  /** Writes the rest of the buffer to an offset that was checked to lie in the data area. */
  void write(long offset, ByteBuffer from) throws AccessException {
    stretches(
        offset,
        from,
        writable(),
        (at, piece, area) -> {
          if (area != null) {
            area.write(at, piece);
          } else {
            int size = piece.remaining();
            requireWhole("write", size, access.writeRegion(region.info().index(), at, piece));
          }
        });
  }

  /** Areas without registers: no interface says what a write to mapped registers does. */
  private List<DirectArea> writable() {
    return areas.stream()
        .filter(area -> area.offset() >= region.format().structureBytes())
        .toList();
  }

  /** Moves bytes that all lie inside one direct area, or all outside. */
  @FunctionalInterface
  private interface Move {
    /**
     * @param area null where it is outside
     */
    void move(long at, ByteBuffer piece, DirectArea area) throws AccessException;
  }

  private static void stretches(long offset, ByteBuffer buffer, List<DirectArea> areas, Move move)
      throws AccessException {
    int limit = buffer.limit();
    try {
      long at = offset;
      while (buffer.position() < limit) {
        DirectArea here = null;
        long end = Long.MAX_VALUE;
        for (DirectArea area : areas) {
          if (area.covers(at, 1)) {
            here = here == null ? area : here;
          } else if (area.offset() > at) {
            end = Math.min(end, area.offset());
          }
        }
        if (here != null) {
          end = here.offset() + here.size();
        }
        int count = (int) Math.min(limit - buffer.position(), end - at);
        buffer.limit(buffer.position() + count);
        move.move(at, buffer, here);
        at += count;
      }
    } finally {
      buffer.limit(limit);
    }
  }

  /** The largest direct area behind the registers that takes so many bytes. */
  Optional<DirectArea> largestAreaFor(long size) {
    return writable().stream()
        .filter(area -> area.size() >= size)
        .max(Comparator.comparingLong(DirectArea::size));
  }

  /**
   * The action "read state" of both formats, as {@link
   * dev.vfio.migration.vfio.device.MigratableDevice#readState} describes it. The device is asked
   * for its next chunk only after the chunk before was read to its end.
   *
   * @param subject the device and its state, for messages
   */
  int readChunk(String subject, Announcement announcement, ByteBuffer chunk)
      throws DeviceException {
    requireDirect(chunk);
    int position = chunk.position();
    int limit = chunk.limit();
    if (!chunk.hasRemaining()) {
      throw new IllegalArgumentException("no room for state; offer " + maxChunkBytes() + " bytes");
    }
    try {
      if (unread == 0) {
        Announced announced = announcement.ask();
        if (announced.size() == 0) {
          return 0;
        }
        requireInsideRegion(subject, announced);
        next = announced.offset();
        unread = announced.size();
      }
      int size = (int) Math.min(unread, limit - position);
      chunk.limit(position + size);
      read(next, chunk);
      next += size;
      unread -= size;
      return size;
    } catch (AccessException failure) {
      abandon();
      chunk.position(position);
      throw DeviceFailures.duringAction(
          subject,
          "reading state",
          Kind.READ_FAILED,
          failure,
          "A chunk that the device had staged is lost, so this attempt cannot be completed: lead"
              + " the device back through FAILED.");
    } finally {
      chunk.limit(limit);
    }
  }

  private void requireInsideRegion(String subject, Announced announced) throws DeviceException {
    long size = announced.size();
    if (size < 0 || !region.holdsData(announced.offset(), size)) {
      throw Kind.PROTOCOL_VIOLATION.exception(
          "%s: it announced %s bytes of state (%s) at %s %s; data lies from offset %s on and"
              + " inside the region of %s bytes. Nothing was read. This attempt cannot be"
              + " completed: lead the device back through FAILED.",
          subject,
          Long.toUnsignedString(size),
          region.format().dataSizeName(),
          region.format().dataOffsetName(),
          Long.toUnsignedString(announced.offset()),
          region.format().structureBytes(),
          region.info().size());
    }
  }

  private static void requireWhole(String what, int size, int done) throws AccessException {
    if (done != size) {
      throw new AccessException(
          Reason.REFUSED, 0, "short " + what + " of data: " + done + " of " + size + " bytes");
    }
  }

  static void requireDirect(ByteBuffer chunk) {
    if (!chunk.isDirect()) {
      throw new IllegalArgumentException("state travels in direct buffers only");
    }
  }
}
