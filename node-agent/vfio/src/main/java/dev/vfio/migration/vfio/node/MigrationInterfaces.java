package dev.vfio.migration.vfio.node;

import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.feature.FeatureV2;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.region.Region2018;
import dev.vfio.migration.vfio.region.RegionV1;
import java.util.Set;

/**
 * Finds which migration interface a device speaks. Asks in this order: features, which today's
 * drivers have and which cost one call; the region of 2018; the region of Linux 5.8.
 */
final class MigrationInterfaces {
  private final NodeDevice device;
  private final FeatureAccess access;
  private final DriverProfile driver;
  private final int pageSize;

  MigrationInterfaces(NodeDevice device, FeatureAccess access, int pageSize) {
    this.device = device;
    this.access = access;
    this.driver =
        new DriverProfile(device.driver(), device.mdevType(), Set.of(), device.streamVersion());
    this.pageSize = pageSize;
  }

  /** Looks without changing the device; the access stays the caller's. */
  DeviceLook look() throws DeviceException {
    return first(
        () -> FeatureV2.look(device.id(), access, driver, pageSize),
        () -> Region2018.look(device.id(), access, driver, pageSize),
        () -> RegionV1.look(device.id(), access, driver, pageSize));
  }

  /**
   * Opens the device for a migration.
   *
   * @param adopted whether somebody held the device already
   */
  MigratableDevice open(MigrationEnd end, boolean adopted) throws DeviceException {
    // A look decides, because an interface that fails to open closes the access.
    return switch (look().description().migrationInterface()) {
      case FEATURE_V2 -> FeatureV2.open(device.id(), access, driver, pageSize, end, adopted);
      case REGION_2018 -> Region2018.open(device.id(), access, driver, pageSize);
      case REGION_V1 -> RegionV1.open(device.id(), access, driver, pageSize, end, adopted);
    };
  }

  @FunctionalInterface
  private interface Try {
    DeviceLook look() throws DeviceException;
  }

  private DeviceLook first(Try... interfaces) throws DeviceException {
    DeviceException unusable = null;
    for (Try candidate : interfaces) {
      try {
        return candidate.look();
      } catch (DeviceException other) {
        if (other.kind() == Kind.PROTOCOL_VIOLATION && isAboutRegions()) {
          unusable = unusable == null ? other : unusable;
        } else if (other.kind() != Kind.NOT_MIGRATABLE) {
          throw other;
        }
      }
    }
    if (unusable != null) {
      throw unusable;
    }
    throw Kind.NOT_MIGRATABLE.exception(
        "device "
            + device.id()
            + (device.driver().isEmpty() ? "" : " (driver " + device.driver() + ")")
            + " cannot migrate: its driver offers no VFIO_DEVICE_FEATURE_MIGRATION, and none of its"
            + " regions is a migration region of 2018 (type 1<<30) or of Linux 5.8 (type 3)."
            + " Nothing was done to the device. "
            + advice());
  }

  /**
   * Whether the driver describes some region badly. Such a region may hide one format and not the
   * other, whereas a bad state of a device whose region was found is final.
   */
  private boolean isAboutRegions() {
    try {
      Region2018.describe(device.id(), access, pageSize);
      return false;
    } catch (DeviceException failure) {
      return failure.kind() == Kind.PROTOCOL_VIOLATION;
    }
  }

  private String advice() {
    return device.driver().equals("vfio-pci")
        ? "Plain vfio-pci can move no device: bind it to its vendor's VFIO driver, such as"
            + " mlx5_vfio_pci for a ConnectX function."
        : "Use a driver that supports migration.";
  }
}
