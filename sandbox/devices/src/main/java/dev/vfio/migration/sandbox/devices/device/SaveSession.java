package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.chunk.ChunkFormat;
import dev.vfio.migration.sandbox.devices.chunk.ChunkPlan;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.content.StatePages;
import java.util.function.Supplier;

/**
 * One save, from SETUP until it ends: which pages are still to be handed out, and in which class.
 *
 * <p>{@code threshold_size} says how much the client can take once the device is stopped. Pages
 * that were sent before and became dirty again are likely to do so once more; as long as they,
 * together with what is postcopy-only anyway, fit into the threshold, they count as postcopy-only
 * and PRECOPY does not hand them out. What goes beyond the threshold counts as compatible. A page
 * that never went out is not held back. The sum of the classes does not depend on the threshold.
 *
 * <p>Not thread-safe: the device calls it under its lock.
 */
final class SaveSession {
  private final StatePages state;
  private final StateGeometry geometry;
  private final PageClasses classes;
  private final DirtySet dirty;
  private final DirtySet sent;
  private final ChunkPlan plan;
  // bytes that are dirty, by class; "again" is compatible and was sent before
  private long dirtyPrecopy;
  private long dirtyCompatible;
  private long dirtyAgain;
  private long dirtyPostcopy;
  private int cursor;
  private boolean registersSent;
  private boolean unconfirmed;

  SaveSession(StatePages state, int areaSize) {
    this.state = state;
    this.geometry = state.geometry();
    int pages = geometry.pages();
    this.classes = PageClasses.of(pages);
    this.dirty = new DirtySet(pages);
    this.sent = new DirtySet(pages);
    this.plan = new ChunkPlan(geometry, areaSize);
    dirty.addAll();
    this.dirtyPrecopy = bytesBetween(0, classes.compatibleFrom());
    this.dirtyCompatible = bytesBetween(classes.compatibleFrom(), classes.postcopyFrom());
    this.dirtyPostcopy = bytesBetween(classes.postcopyFrom(), pages);
  }

  void markDirty(int page) {
    if (dirty.add(page)) {
      count(page, 1);
    }
  }

  /** Bytes by class; {@code threshold} as described above. */
  PendingBytes pending(long threshold) {
    long heldBack = heldBack(threshold);
    return new PendingBytes(
        dirtyPrecopy, dirtyCompatible + dirtyAgain - heldBack, postcopy() + heldBack);
  }

  /**
   * Plans the next chunk; empty if there is nothing to hand out now.
   *
   * @param stopped in STOPNCOPY, where everything goes out and the registers come last
   * @param registers asked for when the last page is in the plan
   */
  ChunkPlan plan(long threshold, boolean stopped, Supplier<ChunkPlan.Registers> registers) {
    plan.clear();
    int end = stopped ? classes.pages() : classes.postcopyFrom();
    boolean room = true;
    while (room && (stopped || hasMoreWhileRunning(threshold))) {
      int page = nextDirty(end);
      if (page < 0) {
        break;
      }
      room = plan.add(page, state.version(page));
      if (room) {
        count(page, -1);
        dirty.remove(page);
        sent.add(page);
        cursor = page + 1;
      }
    }
    if (stopped && dirty.count() == 0 && !registersSent) {
      registersSent = plan.add(registers.get());
    }
    unconfirmed = !plan.isEmpty();
    return plan;
  }

  /** The client has asked for something after the last chunk, so it has taken that one. */
  void confirm() {
    unconfirmed = false;
  }

  /** The client has left; it may not have read the last chunk, so that one goes out again. */
  void clientLeft() {
    if (!unconfirmed) {
      return;
    }
    for (int index = 0; index < plan.count(); index++) {
      markDirty(plan.page(index));
    }
    if (plan.hasRegisters()) {
      registersSent = false;
    }
    unconfirmed = false;
  }

  /** Everything is to be handed out again, which a device that never runs dry does for ever. */
  void startOver() {
    for (int page = 0; page < classes.pages(); page++) {
      markDirty(page);
    }
  }

  private boolean hasMoreWhileRunning(long threshold) {
    return dirtyPrecopy + dirtyCompatible > 0 || dirtyAgain > heldBack(threshold);
  }

  private long heldBack(long threshold) {
    long room = threshold < 0 ? Long.MAX_VALUE : threshold; // unsigned on the wire
    return Math.max(0, Math.min(dirtyAgain, room - postcopy()));
  }

  private long postcopy() {
    return dirtyPostcopy + (registersSent ? 0 : ChunkFormat.REGISTERS_SIZE);
  }

  private int nextDirty(int end) {
    int page = dirty.next(cursor, end);
    return page >= 0 ? page : dirty.next(0, Math.min(cursor, end));
  }

  private long bytesBetween(long from, long end) {
    return beginningOf(end) - beginningOf(from);
  }

  private long beginningOf(long page) {
    return Math.min(page * geometry.pageSize(), geometry.stateSize());
  }

  private void count(int page, int direction) {
    long bytes = (long) direction * geometry.lengthOf(page);
    if (classes.isPostcopyOnly(page)) {
      dirtyPostcopy += bytes;
    } else if (classes.isPrecopyOnly(page)) {
      dirtyPrecopy += bytes;
    } else if (sent.contains(page)) {
      dirtyAgain += bytes;
    } else {
      dirtyCompatible += bytes;
    }
  }
}
