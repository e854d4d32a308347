package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DirtyBitmap;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DirtyRuns;
import java.nio.ByteBuffer;

/**
 * The action "get dirty pages". Each round writes where the range starts and how many pages are
 * left, reads how many the device answered for ({@code copied}; 0 means that the rest is clean),
 * finds the bitmap through {@code data.offset}, and goes on behind those pages.
 *
 * <p>A report is never silently incomplete: where the device fails or breaks the rules, every page
 * not yet answered for is reported dirty before the failure is thrown.
 */
final class DirtyPagesAction {
  /** A bitmap is read in pieces of this size: one holds the bits of 2 GiB in 4 KiB pages. */
  private static final int PIECE_BYTES = 64 << 10;

  private static final long PIECE_PAGES = (long) PIECE_BYTES * Byte.SIZE;

  private final RegionRegisters registers;
  private final RegionData data;
  private final DataPlace place;
  private final MigrationRegion region;
  private final int pageSize;

  /** Allocated for the first report, because not every device is asked. */
  private ByteBuffer piece;

  DirtyPagesAction(
      RegionRegisters registers,
      RegionData data,
      DataPlace place,
      MigrationRegion region,
      int pageSize) {
    this.registers = registers;
    this.data = data;
    this.place = place;
    this.region = region;
    this.pageSize = pageSize;
  }

  /**
   * @param subject the device and its state, for messages
   */
  long report(String subject, long iova, long pages, DirtyPages into) throws DeviceException {
    DirtyRuns.requireRange(iova, pages, pageSize);
    DirtyRuns runs = new DirtyRuns(iova, pageSize, into);
    long answered = 0;
    try {
      while (answered < pages) {
        long remaining = pages - answered;
        place.beforeBitmap(DirtyBitmap.bytesFor(remaining));
        registers.write(MigrationRegionLayout.DIRTY_PFNS_START_ADDR, iova + answered * pageSize);
        registers.write(MigrationRegionLayout.DIRTY_PFNS_TOTAL, remaining);
        long copied = registers.read(MigrationRegionLayout.DIRTY_PFNS_COPIED);
        if (copied == 0) {
          break;
        }
        if (Long.compareUnsigned(copied, remaining) > 0) {
          throw violation(
              subject,
              String.format(
                  "it says that it copied the bits of %s pages (dirty_pfns.copied) where %s were"
                      + " asked for (dirty_pfns.total)",
                  Long.toUnsignedString(copied), remaining));
        }
        long offset = place.ofBitmap(copied);
        if (!region.holdsData(offset, DirtyBitmap.bytesFor(copied))) {
          throw violation(
              subject,
              String.format(
                  "its bitmap of %s bytes at data.offset %s is not inside the data area, %s to %s",
                  DirtyBitmap.bytesFor(copied),
                  Long.toUnsignedString(offset),
                  MigrationRegionLayout.SIZE,
                  region.info().size()));
        }
        for (long done = 0; done < copied; done += PIECE_PAGES) {
          long bits = Math.min(PIECE_PAGES, copied - done);
          readPiece(subject, offset + done / Byte.SIZE, bits);
          DirtyBitmap.walk(piece, answered, bits, runs);
          answered += bits;
        }
      }
      return runs.finish();
    } catch (AccessException failure) {
      runs.finishWithRestDirty(answered, pages);
      throw DeviceFailures.dirtyPagesNotRead(subject, failure);
    } catch (DeviceException violation) {
      runs.finishWithRestDirty(answered, pages);
      throw violation;
    }
  }

  private void readPiece(String subject, long offset, long bits)
      throws AccessException, DeviceException {
    if (piece == null) {
      piece = ByteBuffer.allocateDirect(PIECE_BYTES);
    }
    data.read(offset, piece.clear().limit((int) DirtyBitmap.bytesFor(bits)));
    piece.flip();
    if (DirtyBitmap.setBehind(piece, bits)) {
      throw violation(subject, "its bitmap marks pages behind the range that was asked for");
    }
  }

  private static DeviceException violation(String subject, String what) {
    return Kind.PROTOCOL_VIOLATION.exception(
        "%s: %s. Every page not yet answered for was reported dirty, the state of the device"
            + " was not touched; lead it back through FAILED, or copy all its memory while it"
            + " stands still.",
        subject, what);
  }
}
