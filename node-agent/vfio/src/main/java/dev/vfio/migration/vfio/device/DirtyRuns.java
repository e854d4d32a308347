package dev.vfio.migration.vfio.device;

/** Joins neighbouring runs of dirty pages, counts them, and reports them as addresses. */
public final class DirtyRuns {
  private final long iova;
  private final int pageSize;
  private final DirtyPages into;
  private long start;
  private long length;
  private long total;

  /**
   * @param iova byte address of page 0
   */
  public DirtyRuns(long iova, int pageSize, DirtyPages into) {
    this.iova = iova;
    this.pageSize = pageSize;
    this.into = into;
  }

  /**
   * Refuses what is no range of pages.
   *
   * @throws IllegalArgumentException where it is empty, not aligned, or goes beyond 2<sup>64</sup>
   */
  public static void requireRange(long iova, long pages, int pageSize) {
    if (pages < 1 || pages > Long.MAX_VALUE / pageSize || iova % pageSize != 0) {
      throw new IllegalArgumentException(
          String.format(
              "%s pages of %s bytes from address %s are no range of pages",
              pages, pageSize, Long.toUnsignedString(iova)));
    }
    // The first address behind the range may be 2^64, which is 0 here, and no more.
    long beforeLast = (pages - 1) * pageSize;
    if (Long.compareUnsigned(iova, -pageSize - beforeLast) > 0) {
      throw new IllegalArgumentException(
          pages + " pages from address " + Long.toUnsignedString(iova) + " go beyond its end");
    }
  }

  /** Takes a run; pages rise from call to call. */
  public void dirty(long page, long pages) {
    if (length > 0 && page == start + length) {
      length += pages;
    } else {
      flush();
      start = page;
      length = pages;
    }
    total += pages;
  }

  /** Reports the last run. Returns how many pages were dirty in all. */
  public long finish() {
    flush();
    return total;
  }

  /**
   * Reports the pages that a device did not answer for as dirty, and ends the report.
   *
   * @param answered pages that the device answered for
   * @param pages of the whole report
   */
  public void finishWithRestDirty(long answered, long pages) {
    if (answered < pages) {
      dirty(answered, pages - answered);
    }
    finish();
  }

  private void flush() {
    if (length > 0) {
      into.run(iova + start * pageSize, length);
      length = 0;
    }
  }
}
