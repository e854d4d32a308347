package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * The data behind the registers of a migration region: through a direct area where the device
 * offers one, through trapped access otherwise, in one bulk copy either way. A short access is an
 * error.
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

  private final DeviceAccess access;
  private final MigrationRegion region;
  private final List<DirectArea> areas;

  RegionData(DeviceAccess access, MigrationRegion region, List<DirectArea> areas) {
    this.access = access;
    this.region = region;
    this.areas = List.copyOf(areas);
  }

  /** The largest chunk, in bytes. */
  long maxChunkBytes() {
    return Math.min(region.dataArea(), Integer.MAX_VALUE);
  }

  /** Fills the rest of the buffer from an offset that was checked to lie in the data area. */
  void read(long offset, ByteBuffer into) throws AccessException {
    int size = into.remaining();
    Optional<DirectArea> area = covering(offset, size);
    if (area.isPresent()) {
      area.get().read(offset, into);
    } else {
      requireWhole("read", size, access.readRegion(region.info().index(), offset, into));
    }
  }

  /** Writes the rest of the buffer to an offset that was checked to lie in the data area. */
  void write(long offset, ByteBuffer from) throws AccessException {
    int size = from.remaining();
    // What an area with registers in it does on a write is nobody's promise.
    Optional<DirectArea> area =
        covering(offset, size).filter(found -> found.offset() >= region.format().structureBytes());
    if (area.isPresent()) {
      area.get().write(offset, from);
    } else {
      requireWhole("write", size, access.writeRegion(region.info().index(), offset, from));
    }
  }

  private Optional<DirectArea> covering(long offset, int size) {
    return areas.stream().filter(area -> area.covers(offset, size)).findFirst();
  }

  /** Where the largest direct area behind the registers begins that takes so many bytes. */
  Optional<DirectArea> largestAreaFor(int size) {
    DirectArea largest = null;
    for (DirectArea area : areas) {
      if (area.offset() >= region.format().structureBytes()
          && area.size() >= size
          && (largest == null || area.size() > largest.size())) {
        largest = area;
      }
    }
    return Optional.ofNullable(largest);
  }

  /**
   * The action "read state" of both formats, as {@link
   * dev.vfio.migration.vfio.device.MigratableDevice#readState} has it.
   *
   * @param subject the device and its state, for messages
   */
  int readChunk(String subject, Announcement announcement, ByteBuffer chunk)
      throws DeviceException {
    requireDirect(chunk);
    int position = chunk.position();
    int limit = chunk.limit();
    try {
      Announced announced = announcement.ask();
      if (announced.size() == 0) {
        return 0;
      }
      requireInsideRegion(subject, announced);
      int size = (int) announced.size();
      if (size > chunk.remaining()) {
        throw new IllegalArgumentException(
            subject
                + " staged a chunk of "
                + size
                + " bytes and the buffer has room for "
                + chunk.remaining()
                + "; offer "
                + maxChunkBytes());
      }
      chunk.limit(position + size);
      read(announced.offset(), chunk);
      return size;
    } catch (AccessException failure) {
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
    if (size < 0 || size > maxChunkBytes() || !region.holdsData(announced.offset(), size)) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          subject
              + ": it announced "
              + Long.toUnsignedString(size)
              + " bytes of state ("
              + region.format().dataSizeName()
              + ") at "
              + region.format().dataOffsetName()
              + " "
              + Long.toUnsignedString(announced.offset())
              + "; data lies from offset "
              + region.format().structureBytes()
              + " on and inside the region of "
              + region.info().size()
              + " bytes. Nothing was read. This attempt cannot be completed: lead the device back"
              + " through FAILED.");
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
