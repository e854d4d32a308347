package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.PciModel;
import java.util.List;

/**
 * What a device with a migration region is made of, in either format.
 *
 * @param region found and checked
 */
record RegionParts(
    DeviceAccess access,
    MigrationRegion region,
    DeviceDescription description,
    RegionRegisters registers,
    RegionData data) {

  /** Makes a device of its parts and reads what it needs to know. */
  @FunctionalInterface
  interface Assembly<D> {
    D of(RegionParts parts) throws DeviceException;
  }

  /** The parts without direct areas, for a look. Changes nothing. */
  static RegionParts find(
      String id, DeviceAccess access, RegionFormat format, DriverProfile driver, int pageSize)
      throws DeviceException {
    MigrationRegion region = MigrationRegion.find(id, access, format);
    DeviceDescription description =
        new DeviceDescription(
            id,
            format.migrationInterface(),
            PciModel.of(id, access),
            region.info().size(),
            true,
            format.tellsDirtyPages(),
            pageSize,
            driver);
    return of(access, region, description, List.of());
  }

  /**
   * Opens the direct areas and makes the device. The device owns the access from here on; the
   * access is closed at once where this fails.
   */
  static <D> D open(
      String id,
      DeviceAccess access,
      RegionFormat format,
      DriverProfile driver,
      int pageSize,
      Assembly<D> assembly)
      throws DeviceException {
    boolean opened = false;
    try {
      RegionParts found = find(id, access, format, driver, pageSize);
      MigrationRegion region = found.region();
      List<DirectArea> areas = access.directAreas(region.info(), region.mappableParts());
      D device = assembly.of(of(access, region, found.description(), areas));
      opened = true;
      return device;
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(id, "its migration region", failure);
    } finally {
      if (!opened) {
        access.close();
      }
    }
  }

  private static RegionParts of(
      DeviceAccess access,
      MigrationRegion region,
      DeviceDescription description,
      List<DirectArea> areas) {
    return new RegionParts(
        access,
        region,
        description,
        new RegionRegisters(access, region),
        new RegionData(access, region, areas));
  }
}
