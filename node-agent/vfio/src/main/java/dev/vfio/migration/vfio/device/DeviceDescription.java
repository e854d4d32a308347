package dev.vfio.migration.vfio.device;

/**
 * What is known of a device that can migrate, read without changing its state.
 *
 * @param id as users name it: PCI address, mdev UUID or {@code vfio-user:NAME}
 * @param migrationInterface the interface it speaks
 * @param model what the device calls itself; both ends must agree
 * @param regionSize bytes of the migration region, 0 where the interface has none
 * @param precopy whether its interface lets state be read while it runs
 * @param dirtyPageTracking whether its interface reports dirty pages; a device may still refuse
 * @param pageSize bytes of one PFN
 * @param driver what stands behind it
 */
public record DeviceDescription(
    String id,
    MigrationInterface migrationInterface,
    String model,
    long regionSize,
    boolean precopy,
    boolean dirtyPageTracking,
    int pageSize,
    DriverProfile driver) {

  /** A description from before there were drivers has none. */
  public DeviceDescription {
    driver = driver == null ? DriverProfile.NONE : driver;
  }

  /** A device that no kernel driver stands behind. */
  public DeviceDescription(
      String id,
      MigrationInterface migrationInterface,
      String model,
      long regionSize,
      boolean precopy,
      boolean dirtyPageTracking,
      int pageSize) {
    this(
        id,
        migrationInterface,
        model,
        regionSize,
        precopy,
        dirtyPageTracking,
        pageSize,
        DriverProfile.NONE);
  }
}
