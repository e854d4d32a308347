package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.content.SequencePoint;
import dev.vfio.migration.sandbox.devices.content.StatePages;
import dev.vfio.migration.sandbox.devices.content.WriteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Compares everything a device holds with what its step number implies, as of one moment, while the
 * workload goes on: the device pages at once (that is arithmetic on their versions; their bytes
 * were compared when they arrived), the window's pages little by little, and a page that the
 * workload is about to overwrite just before it does.
 *
 * <p>All but {@link #finish} under the device's lock.
 */
final class Audit {
  private static final int BATCH = 64;
  private static final int DETAILS = 5;

  private final SequencePoint point;
  private final AccessPattern pattern;
  private final DmaWindow window;
  private final StatePages state;
  private final DirtySet toCompare;
  private final long[] words;
  private final long[] scratch;
  private final List<String> broken = new ArrayList<>();
  private long brokenPages;
  private int cursor;
  private boolean abandoned;

  /** Compares the device pages; {@code window} may be null. */
  Audit(SequencePoint point, AccessPattern pattern, StatePages state, DmaWindow window) {
    this.point = point;
    this.pattern = pattern;
    this.state = state;
    this.window = window;
    int windowPages = window == null ? 0 : window.pages();
    this.toCompare = new DirtySet(windowPages);
    toCompare.addAll();
    int pageWords = window == null ? 0 : window.pageSize() / Long.BYTES;
    this.words = new long[pageWords];
    this.scratch = new long[pageWords];
    compareState();
  }

  /** The workload is about to overwrite that page of the window. */
  void beforeWrite(int page) {
    if (toCompare.contains(page)) {
      compareWindow(page);
    }
  }

  /** Compares some pages of the window; says whether there are more. */
  boolean compareSome() {
    for (int done = 0; done < BATCH && !abandoned; done++) {
      int page = toCompare.next(cursor, window == null ? 0 : window.pages());
      if (page < 0) {
        return false;
      }
      compareWindow(page);
      cursor = page + 1;
    }
    return !abandoned;
  }

  /** The device gives its state up before the audit is done. */
  void abandon() {
    abandoned = true;
  }

  boolean abandoned() {
    return abandoned;
  }

  /** Follows the chain, which takes a hash a step, and says what was found. */
  AuditResult finish() {
    if (!point.chainHolds()) {
      broken.add(
          "the chain at step "
              + point.step()
              + " is not what doing every step exactly once gives: a step was lost or done twice");
    }
    long windowPages = window == null ? 0 : window.pages();
    long windowBytes = window == null ? 0 : window.size();
    long pages = state.geometry().pages() + windowPages;
    long bytes = state.geometry().stateSize() + windowBytes;
    String detail =
        broken.isEmpty()
            ? "every step once up to " + point.step() + ", every page as that step left it"
            : String.join("; ", broken)
                + (brokenPages > DETAILS ? "; " + brokenPages + " pages in all" : "");
    return new AuditResult(broken.isEmpty(), detail, point.step(), pages, bytes);
  }

  private void compareState() {
    WriteOrder order = pattern.state();
    long writes = point.deviceWrites();
    long first = order.firstOrdinalOf(0);
    for (int page = 0; page < order.pages(); page++) {
      long expected = order.versionAt(first, writes);
      if (state.version(page) != expected) {
        report(
            String.format(
                "device page %d is at version %d, step %d implies %d",
                page, state.version(page), point.step(), expected));
      }
      first = order.firstOrdinalOfNext(first);
    }
  }

  private void compareWindow(int page) {
    toCompare.remove(page);
    long expected = pattern.window().versionAfter(page, point.windowWrites());
    window.read(page, words);
    if (!pattern.windowContent().matches(page, expected, words, words.length, scratch)) {
      report(
          String.format(
              "window page %d (address 0x%x) does not hold version %d, which step %d implies",
              page, DmaWindow.ADDRESS + (long) page * window.pageSize(), expected, point.step()));
    }
  }

  private void report(String sentence) {
    brokenPages++;
    if (brokenPages <= DETAILS) {
      broken.add(sentence);
    }
  }
}
