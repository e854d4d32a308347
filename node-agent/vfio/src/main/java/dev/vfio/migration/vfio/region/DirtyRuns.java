package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.device.DirtyPages;

/** Joins neighbouring runs of dirty pages, counts them, and reports them as addresses. */
final class DirtyRuns {
  private final long iova;
  private final int pageSize;
  private final DirtyPages into;
  private long start;
  private long length;
  private long total;

  /**
   * @param iova byte address of page 0
   */
  DirtyRuns(long iova, int pageSize, DirtyPages into) {
    this.iova = iova;
    this.pageSize = pageSize;
    this.into = into;
  }

  /** Takes a run; pages rise from call to call. */
  void dirty(long page, long pages) {
    if (length > 0 && page == start + length) {
      length += pages;
    } else {
      flush();
      start = page;
      length = pages;
    }
    total += pages;
  }

  /** Reports what is still held back and answers how many pages were dirty in all. */
  long finish() {
    flush();
    return total;
  }

  private void flush() {
    if (length > 0) {
      into.run(iova + start * pageSize, length);
      length = 0;
    }
  }
}
