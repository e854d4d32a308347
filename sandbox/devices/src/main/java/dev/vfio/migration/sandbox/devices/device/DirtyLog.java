package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Which pages of the DMA window the device has written since it was last asked. Reporting a page
 * clears it. Not thread-safe: the device calls it under its lock, and marks a page only after it
 * has written it, so a page that is copied after its report is never older than the report.
 */
final class DirtyLog {
  private final long address;
  private final int pageSize;
  private final int pages;
  private final int pagesPerReport;
  private final DirtySet dirty;
  private int reportedFrom;
  private ByteBuffer reported = ByteBuffer.allocate(0);

  /**
   * @param pagesPerReport the most that one report covers, a multiple of 64
   */
  DirtyLog(long address, int pageSize, int pages, int pagesPerReport) {
    this.address = address;
    this.pageSize = pageSize;
    this.pages = pages;
    this.pagesPerReport = pagesPerReport;
    this.dirty = new DirtySet(pages);
  }

  void mark(int page) {
    dirty.add(page);
  }

  int dirtyPages() {
    return dirty.count();
  }

  /**
   * Writes the bitmap of the range's beginning to {@code into} (bit i of the little-endian bitmap
   * is page i from {@code start}) and forgets what it reports.
   *
   * @param start byte address, page-aligned
   * @param total pages from there
   * @return pages that the bitmap covers; 0 if no page in the whole range is dirty
   * @throws RefusalException EINVAL if the range is not one of the window's
   */
  int report(long start, long total, ByteBuffer into) throws RefusalException {
    long first = (start - address) / pageSize;
    if (start < address
        || start % pageSize != 0
        || first >= pages
        || total < 1
        || total > pages - first) {
      throw new RefusalException(
          Errno.EINVAL, String.format("no window holds %d pages from address 0x%x", total, start));
    }
    int from = (int) first;
    int end = (int) (first + total);
    reported = ByteBuffer.allocate(0);
    if (dirty.next(from, end) < 0) {
      return 0;
    }
    int room = (int) Math.min(pagesPerReport, into.remaining() / Long.BYTES * (long) Long.SIZE);
    int covered = (int) Math.min(total, room);
    ByteBuffer bitmap =
        ByteBuffer.allocate((covered + Long.SIZE - 1) / Long.SIZE * Long.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int page = dirty.next(from, from + covered);
        page >= 0;
        page = dirty.next(page + 1, from + covered)) {
      int bit = page - from;
      bitmap.put(bit >>> 3, (byte) (bitmap.get(bit >>> 3) | 1 << (bit & 7)));
      dirty.remove(page);
    }
    into.put(bitmap.duplicate());
    reportedFrom = from;
    reported = bitmap;
    return covered;
  }

  /** The client has asked for something after the last report, so it has taken that one. */
  void confirm() {
    reported = ByteBuffer.allocate(0);
  }

  /** The client has left; it may not have read the last report, so its pages are dirty again. */
  void clientLeft() {
    for (int bit = 0; bit < reported.capacity() * 8; bit++) {
      if ((reported.get(bit >>> 3) >>> (bit & 7) & 1) != 0) {
        dirty.add(reportedFrom + bit);
      }
    }
    confirm();
  }
}
