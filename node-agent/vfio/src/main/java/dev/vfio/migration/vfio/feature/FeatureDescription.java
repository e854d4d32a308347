package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PciModel;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.Set;

/** Describes what a device's v2 interface offers. Changes nothing. */
final class FeatureDescription {

  private FeatureDescription() {}

  /**
   * @throws DeviceException NOT_MIGRATABLE where the device has not the interface, UNREACHABLE,
   *     PROTOCOL_VIOLATION
   */
  static DeviceDescription of(String id, FeatureAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    Set<MigrationFlag> flags = flagsOf(id, access, driver);
    boolean logs;
    try {
      logs = access.probe(PayloadLayout.DMA_LOGGING_START, FeatureAccess.SET);
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(id, "its log of dirty pages", failure);
    }
    return new DeviceDescription(
        id,
        MigrationInterface.FEATURE_V2,
        PciModel.of(id, access),
        0,
        flags.contains(MigrationFlag.PRE_COPY),
        logs,
        pageSize,
        new DriverProfile(driver.driver(), driver.mdevType(), flags, driver.streamVersion()));
  }

  private static Set<MigrationFlag> flagsOf(String id, FeatureAccess access, DriverProfile driver)
      throws DeviceException {
    ByteBuffer payload = NativeMemory.allocate(PayloadLayout.MIGRATION_SIZE);
    try {
      access.get(PayloadLayout.MIGRATION, payload);
    } catch (AccessException failure) {
      boolean hasNot =
          failure.reason() == Reason.REFUSED && DeviceFailures.isUnknown(failure.errno());
      if (!hasNot) {
        throw DeviceFailures.whileOpening(id, "its migration feature", failure);
      }
      throw new DeviceException(
          Kind.NOT_MIGRATABLE,
          failure.errno(),
          String.format(
              "device %s cannot migrate by the v2 interface: %s answers"
                  + " VFIO_DEVICE_FEATURE_MIGRATION with %s. Nothing was done to the device; bind"
                  + " it to a VFIO driver that is made for this device and can migrate it, on Linux"
                  + " 5.18 or later.",
              id, nameOf(driver), Errno.describe(failure.errno())),
          failure);
    }
    Set<MigrationFlag> flags = EnumSet.noneOf(MigrationFlag.class);
    for (MigrationFlag flag : MigrationFlag.values()) {
      if ((payload.getLong(0) & flag.bit()) != 0) {
        flags.add(flag);
      }
    }
    if (!flags.contains(MigrationFlag.STOP_COPY)) {
      throw Kind.NOT_MIGRATABLE.exception(
          "device %s cannot migrate by the v2 interface: %s does not offer STOP_COPY (flags"
              + " 0x%s), without which no state can be read. Nothing was done to the device.",
          id, nameOf(driver), Long.toHexString(payload.getLong(0)));
    }
    return flags;
  }

  private static String nameOf(DriverProfile driver) {
    return driver.driver().isEmpty() ? "its driver" : "its driver " + driver.driver();
  }
}
