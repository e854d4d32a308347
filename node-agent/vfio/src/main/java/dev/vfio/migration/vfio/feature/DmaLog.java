package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DirtyBitmap;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DirtyRuns;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The device's own log of the memory it writes to: {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START},
 * {@code STOP} and {@code REPORT}.
 *
 * <p>A device that offers a log may refuse to start it. The refusal is remembered, and reports then
 * call everything dirty.
 */
final class DmaLog {
  /** Bytes of bits that one report asks for: 2 GiB in pages of 4 KiB. */
  private static final int PIECE_BYTES = 64 << 10;

  private static final long PIECE_PAGES = (long) PIECE_BYTES * Byte.SIZE;

  private final FeatureAccess access;
  private final int pageSize;
  private final boolean offered;
  private WatchedMemory watched = WatchedMemory.none();

  /** Whether a log may be running that this object did not start, or that refused to stop. */
  private boolean leftOn;

  private boolean on;
  private String whyOff = "it was not started";
  private int errnoOfRefusal;

  private final ByteBuffer report = NativeMemory.allocate(PayloadLayout.REPORT_SIZE);

  /** Allocated for the first report, because not every device is asked. */
  private ByteBuffer bitmap;

  /**
   * @param offered whether the device says that it has a log
   * @param leftOn whether a log may have been left running
   */
  DmaLog(FeatureAccess access, int pageSize, boolean offered, boolean leftOn) {
    this.access = access;
    this.pageSize = pageSize;
    this.offered = offered;
    this.leftOn = offered && leftOn;
  }

  void watch(List<MemoryRange> ranges) {
    watched = WatchedMemory.of(ranges, pageSize, PayloadLayout.MAX_RANGES);
  }

  /**
   * Starts the log, or remembers why there is none.
   *
   * @throws AccessException UNREACHABLE or VIOLATION, never REFUSED
   */
  void start() throws AccessException {
    if (!offered) {
      off("its driver offers no log", 0);
    } else if (watched.pieces().isEmpty()) {
      off("no memory was named that it could log", 0);
    } else {
      if (leftOn) {
        // The kernel refuses a second start while a log runs.
        stop();
      }
      try {
        askToStart();
        on = true;
        errnoOfRefusal = 0;
      } catch (AccessException failure) {
        requireRefused(failure);
        off(
            "its driver offers a log and refused to start it with "
                + Errno.describe(failure.errno()),
            failure.errno());
      }
    }
  }

  private void off(String why, int errno) {
    on = false;
    whyOff = why;
    errnoOfRefusal = errno;
  }

  private void askToStart() throws AccessException {
    List<WatchedMemory.Piece> pieces = watched.pieces();
    ByteBuffer ranges = NativeMemory.allocate(pieces.size() * PayloadLayout.RANGE_SIZE);
    for (int i = 0; i < pieces.size(); i++) {
      int at = i * PayloadLayout.RANGE_SIZE;
      ranges.putLong(at + PayloadLayout.RANGE_IOVA, pieces.get(i).first());
      ranges.putLong(at + PayloadLayout.RANGE_LENGTH, pieces.get(i).length());
    }
    ByteBuffer control = NativeMemory.allocate(PayloadLayout.CONTROL_SIZE);
    control.putLong(PayloadLayout.CONTROL_PAGE_SIZE, pageSize);
    control.putInt(PayloadLayout.CONTROL_NUM_RANGES, pieces.size());
    control.putLong(PayloadLayout.CONTROL_RANGES, access.addressOf(ranges));
    try {
      access.set(PayloadLayout.DMA_LOGGING_START, control);
    } finally {
      Reference.reachabilityFence(ranges);
    }
  }

  /**
   * Stops the log where one may be running. A log that refuses to stop only costs the device time,
   * so the way back goes on; it is stopped before the next start.
   *
   * @throws AccessException UNREACHABLE or VIOLATION, never REFUSED
   */
  void stop() throws AccessException {
    if (!on && !leftOn) {
      return;
    }
    boolean started = on;
    off("it was stopped", 0);
    try {
      access.set(PayloadLayout.DMA_LOGGING_STOP, NativeMemory.allocate(0));
      leftOn = false;
    } catch (AccessException failure) {
      requireRefused(failure);
      // If no log was started here, a refusal to stop means that none was running.
      leftOn = started;
    }
  }

  /** The device was reset, and its log is lost. */
  void lost() {
    leftOn |= on;
    off("the device was reset", 0);
  }

  private static void requireRefused(AccessException failure) throws AccessException {
    if (failure.reason() != Reason.REFUSED) {
      throw failure;
    }
  }

  /**
   * @param subject the device and its state, for messages
   */
  long report(String subject, long iova, long pages, DirtyPages into) throws DeviceException {
    DirtyRuns.requireRange(iova, pages, pageSize);
    DirtyRuns runs = new DirtyRuns(iova, pageSize, into);
    long answered = 0;
    try {
      requireLogged(subject, iova, pages);
      while (answered < pages) {
        long bits = Math.min(PIECE_PAGES, pages - answered);
        readPiece(iova + answered * pageSize, bits);
        DirtyBitmap.walk(bitmap, answered, bits, runs);
        answered += bits;
      }
      return runs.finish();
    } catch (AccessException failure) {
      runs.finishWithRestDirty(answered, pages);
      throw DeviceFailures.dirtyPagesNotRead(subject, failure);
    } catch (DeviceException notLogged) {
      runs.finishWithRestDirty(answered, pages);
      throw notLogged;
    }
  }

  private void requireLogged(String subject, long iova, long pages) throws DeviceException {
    String why =
        on && !watched.covers(iova, pages * pageSize)
            ? "its log does not cover " + pages + " pages from address 0x" + Long.toHexString(iova)
            : on ? null : "the device does not log the pages it writes: " + whyOff;
    if (why != null) {
      throw new DeviceException(
          Kind.READ_FAILED,
          errnoOfRefusal,
          String.format(
              "%s: %s. All %s pages were reported dirty. Its state was not touched: copy all its"
                  + " memory while it stands still.",
              subject, why, pages));
    }
  }

  private void readPiece(long iova, long bits) throws AccessException {
    if (bitmap == null) {
      bitmap = NativeMemory.allocate(PIECE_BYTES);
    }
    bitmap.clear();
    // The kernel sets bits in words of 64 and clears none.
    int words = (int) ((bits + Long.SIZE - 1) / Long.SIZE);
    for (int word = 0; word < words; word++) {
      bitmap.putLong(word * Long.BYTES, 0);
    }
    bitmap.limit(words * Long.BYTES);
    report.clear();
    report.putLong(PayloadLayout.REPORT_IOVA, iova);
    report.putLong(PayloadLayout.REPORT_LENGTH, bits * pageSize);
    report.putLong(PayloadLayout.REPORT_PAGE_SIZE, pageSize);
    report.putLong(PayloadLayout.REPORT_BITMAP, access.addressOf(bitmap));
    try {
      access.get(PayloadLayout.DMA_LOGGING_REPORT, report);
    } finally {
      Reference.reachabilityFence(bitmap);
    }
  }
}
