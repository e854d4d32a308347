package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.chunk.ChunkPlan;
import dev.vfio.migration.sandbox.devices.chunk.ChunkReader;
import dev.vfio.migration.sandbox.devices.chunk.ChunkWriter;
import dev.vfio.migration.sandbox.devices.content.Mix;
import dev.vfio.migration.sandbox.devices.content.PageContent;
import dev.vfio.migration.sandbox.devices.content.SequencePoint;
import dev.vfio.migration.sandbox.devices.content.StatePages;
import dev.vfio.migration.sandbox.devices.content.WriteRate;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the device holds (pages, registers, memory it writes into) and what is under way with it: a
 * save, a load, audits. Knows no device states. Not thread-safe: {@link DeviceModel} calls it under
 * its lock, except for {@link #write}.
 */
final class DeviceContents {
  private final DeviceSettings settings;
  private final DmaWindow window;
  private final int windowPages;
  private final List<Audit> audits = new ArrayList<>();
  private final long[] words = new long[PageContent.MAX_PAGE_SIZE / Long.BYTES];

  private StatePages pages;
  private SequencePoint point;
  private AccessPattern pattern;
  private SaveSession save;
  private DirtyLog dirtyLog;
  private ChunkWriter writer;
  private ChunkReader reader;
  private long bytesOut;
  private long bytesIn;

  /** Fresh contents; {@code window} may be null. */
  DeviceContents(DeviceSettings settings, DmaWindow window) {
    this.settings = settings;
    this.window = window;
    this.windowPages = window == null ? 0 : window.pages();
    makeFresh();
  }

  /** Forgets everything: step 0, every page as it is before the first step. */
  void makeFresh() {
    pages = StatePages.fresh(settings.geometry());
    point =
        SequencePoint.start(
            settings.seed(),
            WriteRate.initial(settings.initialPace()),
            WriteRate.initial(settings.windowPace()));
    pattern = AccessPattern.of(settings.seed(), settings.geometry(), windowPages);
    reader = null;
    endSave();
    abandonAudits();
    bytesOut = 0;
    bytesIn = 0;
  }

  /** Gives the window the content that it has before the first step. */
  void fillWindow() {
    for (int page = 0; page < windowPages; page++) {
      writeWindow(page, 0);
    }
  }

  SequencePoint point() {
    return point;
  }

  void changePace(long devicePerStep, long windowPerStep) {
    point = point.withDevicePace(devicePerStep).withWindowPace(windowPerStep);
  }

  /**
   * One step of the workload.
   *
   * @param logDirty false to forget what the step writes into the window
   * @param twice true to do the step once too often
   */
  void step(boolean logDirty, boolean twice) {
    SequencePoint next = point.next();
    for (long write = point.deviceWrites(); write < next.deviceWrites(); write++) {
      int page = (int) pattern.state().pageOf(write);
      pages.write(page, write + 1);
      if (save != null) {
        save.markDirty(page);
      }
    }
    if (window != null) {
      for (long write = point.windowWrites(); write < next.windowWrites(); write++) {
        int page = (int) pattern.window().pageOf(write);
        writeWindow(page, write + 1);
        // marked only now, so that who copies the page after its report copies what was written
        if (dirtyLog != null && logDirty) {
          dirtyLog.mark(page);
        }
      }
    }
    point = twice ? next.repeated() : next;
  }

  void beginSave() {
    if (settings.initialPace() != settings.devicePace()) {
      point = point.withDevicePace(settings.devicePace());
    }
    save = new SaveSession(pages, settings.areaSize());
    dirtyLog =
        window == null
            ? null
            : new DirtyLog(
                DmaWindow.ADDRESS, window.pageSize(), windowPages, settings.pagesPerReport());
    writer = new ChunkWriter(Mix.of(System.nanoTime(), point.seed()), point.seed());
    bytesOut = 0;
  }

  void endSave() {
    save = null;
    dirtyLog = null;
    writer = null;
  }

  PendingBytes pending(long threshold) {
    return save == null ? PendingBytes.NOTHING : save.pending(threshold);
  }

  long bytesOut() {
    return bytesOut;
  }

  long bytesIn() {
    return bytesIn;
  }

  /** The next chunk of the save; see {@link SaveSession#plan}. */
  ChunkPlan plan(long threshold, boolean stopped) {
    clientHasRead();
    ChunkPlan plan = save.plan(threshold, stopped, this::registers);
    bytesOut += plan.isEmpty() ? 0 : plan.size();
    return plan;
  }

  /** Marks all state as not yet handed out. */
  void startSaveOver() {
    save.startOver();
  }

  /**
   * Writes the planned chunk. Needs no lock: content follows from the plan, and only the one client
   * that planned the chunk can end the save.
   */
  int write(ChunkPlan plan, ByteBuffer area) {
    return writer.write(plan, area);
  }

  /** The client has asked for something new, so it has taken the last chunk and bitmap. */
  void clientHasRead() {
    if (save != null) {
      save.confirm();
    }
    if (dirtyLog != null) {
      dirtyLog.confirm();
    }
  }

  void beginLoad() {
    abandonAudits();
    pages = StatePages.awaited(settings.geometry());
    reader = new ChunkReader(pages);
    bytesIn = 0;
  }

  void load(ByteBuffer data) throws RefusalException {
    bytesIn += data.remaining();
    reader.accept(data);
  }

  /** Everything must be here; the registers become this device's. */
  void completeLoad() throws RefusalException {
    ChunkPlan.Registers registers = reader.complete();
    long size = window == null ? 0 : window.size();
    if (registers.windowSize() != size) {
      throw new RefusalException(
          Errno.EINVAL,
          "the source's window has " + registers.windowSize() + " bytes, this one " + size);
    }
    point = registers.point();
    pattern = AccessPattern.of(point.seed(), settings.geometry(), windowPages);
    reader = null;
  }

  void abandonLoad() {
    reader = null;
  }

  /** See {@link DirtyLog#report}. */
  int reportDirty(long start, long total, ByteBuffer area) throws RefusalException {
    if (dirtyLog == null) {
      throw new RefusalException(Errno.EINVAL, "the device writes into no memory");
    }
    return dirtyLog.report(start, total, area);
  }

  /** What the client may not have read is to be handed out again. */
  void clientLeft() {
    if (save != null) {
      save.clientLeft();
    }
    if (dirtyLog != null) {
      dirtyLog.clientLeft();
    }
    if (reader != null) {
      reader.carrierChanged();
    }
  }

  Audit beginAudit() {
    Audit audit = new Audit(point, pattern, pages, window);
    audits.add(audit);
    return audit;
  }

  void endAudit(Audit audit) {
    audits.remove(audit);
  }

  void abandonAudits() {
    audits.forEach(Audit::abandon);
    audits.clear();
  }

  int missingPages() {
    return pages.missing();
  }

  int dirtyWindowPages() {
    return dirtyLog == null ? 0 : dirtyLog.dirtyPages();
  }

  Optional<DmaWindow> window() {
    return Optional.ofNullable(window);
  }

  private ChunkPlan.Registers registers() {
    return new ChunkPlan.Registers(
        point,
        pages.digest(),
        writer.sequence() + 1,
        window == null ? 0 : DmaWindow.ADDRESS,
        window == null ? 0 : window.size());
  }

  private void writeWindow(int page, long version) {
    for (Audit audit : audits) {
      audit.beforeWrite(page);
    }
    pattern.windowContent().fill(page, version, words, window.pageSize() / Long.BYTES);
    window.write(page, words);
  }
}
