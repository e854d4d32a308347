package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DevicePlace;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;

/** Between the contract's device and our own: what both ends compare, and what people read. */
final class DeviceMapping {
  /** An attribute of sysfs is at most a page. */
  private static final int MAX_VERSION = 4096;

  private static final int MAX_NAME = 512;

  private DeviceMapping() {}

  // ------------------------------------------------------------------ the source's device

  static DeviceDescription description(Device device) throws Refusal {
    return new DeviceDescription(
        text("source_device.id", device.getId(), MAX_NAME),
        migrationInterface(device),
        text("source_device.model", device.getModel(), MAX_NAME),
        device.getRegionSize(),
        device.getPrecopy(),
        device.getDirtyPageTracking(),
        device.getPageSize(),
        device.hasDriverProfile() ? profile(device) : DriverProfile.NONE);
  }

  private static MigrationInterface migrationInterface(Device device) throws Refusal {
    return switch (device.getInterface()) {
      case REGION_2018 -> MigrationInterface.REGION_2018;
      case REGION_V1 -> MigrationInterface.REGION_V1;
      case FEATURE_V2 -> MigrationInterface.FEATURE_V2;
      case MIGRATION_INTERFACE_UNSPECIFIED, UNRECOGNIZED ->
          throw invalid("the source's device cannot migrate, or its interface is not known");
    };
  }

  private static DriverProfile profile(Device device) throws Refusal {
    dev.vfio.migration.contract.v1.DriverProfile profile = device.getDriverProfile();
    return new DriverProfile(
        text("driver_profile.driver", profile.getDriver(), MAX_NAME),
        text("driver_profile.mdev_type", profile.getMdevType(), MAX_NAME),
        flags(device),
        text("driver_profile.stream_version", profile.getStreamVersion(), MAX_VERSION));
  }

  private static Set<MigrationFlag> flags(Device device) throws Refusal {
    Set<MigrationFlag> flags = EnumSet.noneOf(MigrationFlag.class);
    for (String name : device.getDriverProfile().getFlagsList()) {
      flags.add(
          Arrays.stream(MigrationFlag.values())
              .filter(flag -> flag.name().equals(name))
              .findFirst()
              .orElseThrow(() -> unknownFlag(device)));
    }
    return flags;
  }

  /** A device that offers more than we know of may also send more than ours can take. */
  private static Refusal unknownFlag(Device device) {
    return new Refusal(
        Reason.INCOMPATIBLE_DEVICE,
        String.format(
            "the source's device %s offers %s, and this node's agent does not know all of it."
                + " Neither device was touched; bring both nodes' agents to one version.",
            shown(device.getId()),
            shown(String.join(", ", device.getDriverProfile().getFlagsList()))));
  }

  private static String text(String field, String value, int longest) throws Refusal {
    if (value.length() > longest || !ForeignText.isPlain(value)) {
      throw invalid(field + " is too long or not printable");
    }
    return value;
  }

  private static String shown(String text) {
    return ForeignText.quote(text);
  }

  private static Refusal invalid(String message) {
    return new Refusal(Reason.INVALID_REQUEST, message + "; nothing was done. Mend the request.");
  }

  // ------------------------------------------------------------------ this node's devices

  static dev.vfio.migration.contract.v1.DriverProfile profile(DriverProfile profile) {
    return dev.vfio.migration.contract.v1.DriverProfile.newBuilder()
        .setDriver(profile.driver())
        .setMdevType(profile.mdevType())
        .addAllFlags(profile.flags().stream().sorted().map(Enum::name).toList())
        .setStreamVersion(profile.streamVersion())
        .build();
  }

  /** What sysfs alone says of the driver; the flags only the open device knows. */
  static DriverProfile profile(NodeDevice place) {
    return new DriverProfile(place.driver(), place.mdevType(), Set.of(), place.streamVersion());
  }

  static DevicePlace place(NodeDevice place) {
    return DevicePlace.newBuilder()
        .setPciAddress(place.pciAddress())
        .setIommuGroup(place.iommuGroup())
        .setCharacterDevice(place.characterDevice())
        .setNumaNode(place.numaNode())
        .setPciIds(place.pciIds())
        .build();
  }

  static dev.vfio.migration.contract.v1.DeviceHolder holder(DeviceHolder holder) {
    return dev.vfio.migration.contract.v1.DeviceHolder.newBuilder()
        .setPid((int) holder.pid())
        .setCommand(holder.command())
        .setCgroup(holder.cgroup())
        .setVirtualMachineMonitor(holder.virtualMachineMonitor())
        .setUser(holder.user())
        .build();
  }
}
