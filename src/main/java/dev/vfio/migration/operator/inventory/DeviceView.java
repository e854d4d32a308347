package dev.vfio.migration.operator.inventory;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceHolder;
import dev.vfio.migration.contract.v1.DevicePlace;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.VfioDevice;
import dev.vfio.migration.operator.api.VfioDeviceHolder;
import dev.vfio.migration.operator.decision.DeviceStates;
import dev.vfio.migration.text.ForeignText;
import java.util.function.UnaryOperator;

/** A device as users read it, from what its agent lists. Pure. */
final class DeviceView {
  /** Bytes of UTF-8: an object must fit into the API server, whatever an agent has to say. */
  static final int MAX_TEXT = 1024;

  static final int MAX_FLAGS = 32;

  private DeviceView() {}

  /**
   * @param nameOf what the migration behind a claim is called
   */
  static VfioDevice of(Device device, UnaryOperator<String> nameOf) {
    DevicePlace place = device.getPlace();
    DriverProfile driver = device.getDriverProfile();
    return new VfioDevice(
        text(device.getId()),
        text(place.getPciAddress()),
        text(place.getPciIds()),
        text(driver.getMdevType()),
        text(driver.getDriver()),
        text(driver.getStreamVersion()),
        device.hasPlace() ? number(place.getIommuGroup()) : null,
        text(place.getCharacterDevice()),
        device.hasPlace() ? number(place.getNumaNode()) : null,
        migrationInterface(device.getInterface()),
        driver.getFlagsList().stream().limit(MAX_FLAGS).map(DeviceView::text).toList(),
        text(device.getModel()),
        state(device.getState()),
        device.getBusy() || !device.getClaimedBy().isEmpty(),
        device.hasHolder() ? holder(device.getHolder()) : null,
        device.getClaimedBy().isEmpty() ? null : text(nameOf.apply(device.getClaimedBy())),
        workload(device.getWorkloadState()),
        migratable(device),
        problem(device));
  }

  private static String problem(Device device) {
    if (device.hasNotMigratable()) {
      return text(device.getNotMigratable().getMessage());
    }
    return leftOver(device)
        ? "left in %s by an earlier migration; reset the device before it is used again"
            .formatted(device.getState())
        : null;
  }

  /** A device that no migration has is in NONE or RUNNING; in any other state it is refused. */
  private static boolean leftOver(Device device) {
    return device.getClaimedBy().isEmpty() && DeviceStates.leftOver(device.getState());
  }

  /**
   * A free device that only lacks a workload to take it is as good as any: that comes with the
   * migration.
   */
  private static boolean migratable(Device device) {
    if (migrationInterface(device.getInterface()) == null || leftOver(device)) {
      return false;
    }
    return !device.hasNotMigratable()
        || (device.hasPlace()
            && !device.getBusy()
            && device.getNotMigratable().getReason() == Reason.WORKLOAD_UNREACHABLE);
  }

  private static VfioDeviceHolder holder(DeviceHolder holder) {
    return new VfioDeviceHolder(
        Integer.toUnsignedLong(holder.getPid()),
        text(holder.getCommand()),
        text(holder.getCgroup()),
        Integer.toUnsignedLong(holder.getUser()),
        holder.getVirtualMachineMonitor());
  }

  private static String migrationInterface(MigrationInterface known) {
    return switch (known) {
      case REGION_2018, REGION_V1, FEATURE_V2 -> known.name();
      case MIGRATION_INTERFACE_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  private static String state(DeviceState state) {
    return switch (state) {
      case NONE,
          RUNNING,
          SETUP,
          PRECOPY,
          STOPNCOPY,
          SAVE_COMPLETED,
          RESUME,
          RESUME_COMPLETED,
          FAILED,
          CANCELLED ->
          state.name();
      case DEVICE_STATE_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  private static String workload(WorkloadState state) {
    return switch (state) {
      case WORKLOAD_RUNNING -> "RUNNING";
      case WORKLOAD_PAUSED -> "PAUSED";
      case WORKLOAD_WAITING -> "WAITING";
      case WORKLOAD_RELEASED -> "RELEASED";
      case WORKLOAD_STATE_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  private static Integer number(int value) {
    return value < 0 ? null : value;
  }

  private static String text(String value) {
    if (value.isEmpty()) {
      return null;
    }
    return ForeignText.line(value, MAX_TEXT);
  }
}
