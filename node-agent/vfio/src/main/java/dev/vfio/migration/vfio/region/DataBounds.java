package dev.vfio.migration.vfio.region;

/** Where data and bitmaps may lie. */
final class DataBounds {

  private DataBounds() {}

  /**
   * Whether the bytes lie behind the structure and inside the region.
   *
   * @param offset unsigned
   * @param size unsigned
   * @param regionSize bytes, positive
   */
  static boolean inside(long offset, long size, long regionSize) {
    return Long.compareUnsigned(offset, MigrationRegionLayout.SIZE) >= 0
        && Long.compareUnsigned(offset, regionSize) <= 0
        && Long.compareUnsigned(size, regionSize - offset) <= 0;
  }
}
