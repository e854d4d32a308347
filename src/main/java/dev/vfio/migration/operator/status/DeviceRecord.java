package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Role;

/**
 * The states in which both devices were last seen, by the interface's own names, and the interface.
 * Null stands for what was never seen. Immutable.
 */
record DeviceRecord(String source, String destination, String migrationInterface) {

  /** With these states; one that an agent does not report leaves the last one as it is. */
  DeviceRecord seenIn(DeviceState nextSource, DeviceState nextDestination) {
    return new DeviceRecord(
        isReported(nextSource) ? nextSource.name() : source,
        isReported(nextDestination) ? nextDestination.name() : destination,
        migrationInterface);
  }

  DeviceRecord by(MigrationInterface spoken) {
    return new DeviceRecord(
        source,
        destination,
        switch (spoken) {
          case REGION_2018, REGION_V1, FEATURE_V2 -> spoken.name();
          case MIGRATION_INTERFACE_UNSPECIFIED, UNRECOGNIZED -> null;
        });
  }

  /** Null where that device was never seen. */
  String state(Role side) {
    return side == Role.SOURCE ? source : destination;
  }

  private static boolean isReported(DeviceState state) {
    return state != DeviceState.DEVICE_STATE_UNSPECIFIED && state != DeviceState.UNRECOGNIZED;
  }
}
