package dev.vfio.migration.sandbox.devices.device;

/**
 * How the pages of the state fall into the text's three classes, by their place: the first eighth
 * is {@code precopy_only} (set-up data that a destination needs first), the last 1/64, at most 16
 * pages, is {@code postcopy_only} (live context that means nothing before the device stands still),
 * and everything between is {@code compatible}. A state of fewer than 64 pages is compatible as a
 * whole. The registers are postcopy_only. Immutable.
 *
 * @param compatibleFrom the first compatible page
 * @param postcopyFrom the first postcopy-only page
 * @param pages how many there are in all
 */
record PageClasses(int compatibleFrom, int postcopyFrom, int pages) {
  private static final int SMALLEST_TO_DIVIDE = 64;
  private static final int PRECOPY_PART = 8;
  private static final int POSTCOPY_PART = 64;
  private static final int MAX_POSTCOPY = 16;

  static PageClasses of(int pages) {
    if (pages < SMALLEST_TO_DIVIDE) {
      return new PageClasses(0, pages, pages);
    }
    int postcopy = Math.min(MAX_POSTCOPY, pages / POSTCOPY_PART);
    return new PageClasses(pages / PRECOPY_PART, pages - postcopy, pages);
  }

  boolean isPrecopyOnly(int page) {
    return page < compatibleFrom;
  }

  boolean isPostcopyOnly(int page) {
    return page >= postcopyFrom;
  }
}
