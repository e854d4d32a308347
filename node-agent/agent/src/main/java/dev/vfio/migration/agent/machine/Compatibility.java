package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** Whether a device here can take what the source's device hands out. Touches nothing. */
public final class Compatibility {
  private Compatibility() {}

  /**
   * Compares the devices. Their regions may differ in size: chunks are split where ours is smaller.
   *
   * @param state of the device here, null where it does not report it
   * @return the refusal, null where they agree
   */
  static Failure check(DestinationSpec spec, DeviceDescription here, DeviceState state) {
    DeviceDescription source = spec.sourceDevice();
    List<String> differences = new ArrayList<>();
    if (source.migrationInterface() != here.migrationInterface()) {
      differences.add(
          "interface " + source.migrationInterface() + " and " + here.migrationInterface());
    }
    if (!source.model().equals(here.model())) {
      differences.add("model " + source.model() + " and " + here.model());
    }
    if (source.pageSize() != here.pageSize()) {
      differences.add("page size " + source.pageSize() + " and " + here.pageSize());
    }
    addDriverDifferences(differences, source.driver(), here.driver());
    if ((source.regionSize() == 0) != (here.regionSize() == 0)) {
      differences.add("region size " + source.regionSize() + " and " + here.regionSize());
    }
    if (!differences.isEmpty()) {
      return Failure.of(
          Reason.INCOMPATIBLE_DEVICE,
          "the source's device %s and the device %s here differ: %s. Neither was touched; choose a"
              + " destination with the same device.",
          source.id(),
          spec.device(),
          String.join("; ", differences));
    }
    if (state != null && state.leftOver()) {
      return Failure.of(
          Reason.DEVICE_NOT_RESET,
          "the device %s here is in %s, left from another migration; it takes a new one in NONE or"
              + " RUNNING only. It was not touched: what is in it may be the only copy. If it is of"
              + " no more use, reset it first: %s.",
          spec.device(),
          state,
          ResetAdvice.of(spec.device()));
    }
    return null;
  }

  /**
   * The state is the driver's own format: another driver, or the same as another, cannot read it.
   */
  private static void addDriverDifferences(
      List<String> differences, DriverProfile source, DriverProfile here) {
    addDifference(differences, "driver", source.driver(), here.driver());
    addDifference(differences, "mdev type", source.mdevType(), here.mdevType());
    addDifference(differences, "migration features", names(source.flags()), names(here.flags()));
    addDifference(
        differences, "the driver's stream version", source.streamVersion(), here.streamVersion());
  }

  private static void addDifference(
      List<String> differences, String what, String source, String here) {
    if (!source.equals(here)) {
      differences.add(what + " " + orNone(source) + " and " + orNone(here));
    }
  }

  private static String names(Set<MigrationFlag> flags) {
    return flags.stream().sorted().map(Enum::name).collect(Collectors.joining(", "));
  }

  private static String orNone(String value) {
    return value.isEmpty() ? "(none)" : value;
  }

  /**
   * Whether a workload waits here for what comes, with the same windows. A device whose workload
   * runs is somebody's: its state would be lost.
   *
   * @return the refusal, null where all is well
   */
  static Failure check(DestinationSpec spec, List<WindowSpec> here, WorkloadState workload) {
    if (workload != WorkloadState.WAITING) {
      return Failure.of(
          Reason.DEVICE_BUSY,
          "the device %s here is not free: its workload is %s, not waiting for one. Neither was"
              + " touched; choose a device whose workload waits.",
          spec.device(),
          workload.name().toLowerCase(Locale.ROOT));
    }
    String difference =
        WindowCheck.difference("the source", spec.sourceWindows(), "this node", here);
    return difference == null
        ? null
        : Failure.of(
            Reason.INCOMPATIBLE_DEVICE,
            "the memory windows of the workloads differ: %s. The device %s here was not touched;"
                + " start the waiting workload with the same windows.",
            difference,
            spec.device());
  }
}
