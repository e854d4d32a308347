package dev.vfio.migration.vfio.device;

/**
 * Takes the runs of dirty pages that a device reports.
 *
 * @see MigratableDevice#dirtyPages
 */
@FunctionalInterface
public interface DirtyPages {
  /**
   * One run of consecutive dirty pages, in rising order within one report.
   *
   * @param iova byte address of the first page
   * @param pages number of pages, at least 1
   */
  void run(long iova, long pages);
}
