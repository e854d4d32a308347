package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.status.ConditionReason;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Whether two devices can migrate, and into each other, by what their agents list of them. */
final class DeviceCheck {
  private DeviceCheck() {}

  /** Why nothing is begun, for programs and for people. */
  record Objection(ConditionReason reason, String message) {}

  /** The first objection to the source, to the destination, or to the two together. */
  static Optional<Objection> objection(Side source, Side destination) {
    return deviceObjection(source)
        .or(() -> deviceObjection(destination))
        .or(() -> mismatch(device(source), device(destination)));
  }

  /** The device that the side's agent listed; only where it listed one. */
  static Device device(Side side) {
    return side.inspection().flatMap(Side.Inspection::device).orElseThrow();
  }

  private static Optional<Objection> deviceObjection(Side side) {
    String where = "node " + side.location().nodeName() + " (" + side.name() + ")";
    Optional<Device> found = side.inspection().flatMap(Side.Inspection::device);
    if (found.isEmpty()) {
      return objection(
          ConditionReason.UNKNOWN_DEVICE,
          "The agent on %s has no device %s. Nothing was touched. Check the device's id."
              .formatted(where, side.location().device()));
    }
    Device device = found.get();
    if (device.hasNotMigratable()) {
      return objection(
          AgentReasons.conditionReason(device.getNotMigratable().getReason()),
          "Device %s on %s cannot migrate: %s Nothing was touched."
              .formatted(device.getId(), where, sentence(device.getNotMigratable().getMessage())));
    }
    if (device.getClaimedBy().isEmpty() && DeviceStates.leftOver(device.getState())) {
      // The agents of earlier releases do not refuse this themselves.
      return objection(
          ConditionReason.DEVICE_NOT_RESET,
          """
          Device %s on %s is in %s though no migration has it. Nothing was touched. Where it is \
          certain that nobody needs what is in it, reset it first; its node's VfioNode says more.\
          """
              .formatted(device.getId(), where, device.getState()));
    }
    if (!device.getClaimedBy().isEmpty()) {
      return objection(
          ConditionReason.DEVICE_BUSY,
          """
          Device %s on %s is in use by migration %s. Nothing was touched. Try again when that one \
          has ended.\
          """
              .formatted(device.getId(), where, device.getClaimedBy()));
    }
    return interfaceObjection(device, where).or(() -> workloadObjection(side, device, where));
  }

  private static Optional<Objection> interfaceObjection(Device device, String where) {
    if (device.getInterface() == MigrationInterface.MIGRATION_INTERFACE_UNSPECIFIED
        || device.getInterface() == MigrationInterface.UNRECOGNIZED) {
      // That an agent reports nothing against a device does not mean that the device can migrate.
      return objection(
          ConditionReason.NO_MIGRATION_REGION,
          """
          The agent on %s does not say by which interface device %s migrates, or names one that \
          this operator does not know (%s). Nothing was touched. Bring operator and agents to one \
          version.\
          """
              .formatted(where, device.getId(), device.getInterfaceValue()));
    }
    return Optional.empty();
  }

  /** By the state of the workload as listed; where it lists none, the agent checks that itself. */
  private static Optional<Objection> workloadObjection(Side side, Device device, String where) {
    WorkloadState fits =
        side.role() == Role.SOURCE
            ? WorkloadState.WORKLOAD_RUNNING
            : WorkloadState.WORKLOAD_WAITING;
    String does =
        switch (device.getWorkloadState()) {
          case WORKLOAD_RUNNING -> "running";
          case WORKLOAD_PAUSED -> "paused";
          case WORKLOAD_WAITING -> "waiting for a device";
          case WORKLOAD_RELEASED -> "done with the device";
          case WORKLOAD_STATE_UNSPECIFIED, UNRECOGNIZED -> "";
        };
    if (does.isEmpty() || device.getWorkloadState() == fits) {
      return Optional.empty();
    }
    return objection(
        ConditionReason.DEVICE_BUSY,
        "The workload of device "
            + device.getId()
            + " on "
            + where
            + " is "
            + does
            + heldBy(device)
            + ", and "
            + (side.role() == Role.SOURCE
                ? "only one that is running is moved"
                : "only one that waits takes what is moved")
            + ". Nothing was touched. "
            + (side.role() == Role.SOURCE
                ? "See who holds it, or choose the device that is in use."
                : "Choose a destination whose workload waits."));
  }

  private static String heldBy(Device device) {
    return device.hasHolder()
        ? " (process %s, %s)"
            .formatted(
                Integer.toUnsignedString(device.getHolder().getPid()),
                device.getHolder().getCommand())
        : "";
  }

  private static String sentence(String text) {
    return text.isEmpty() || text.endsWith(".") ? text : text + ".";
  }

  private static Optional<Objection> mismatch(Device source, Device destination) {
    if (source.getInterface() != destination.getInterface()) {
      return objection(
          ConditionReason.INCOMPATIBLE_DEVICE,
          """
          The devices speak different migration interfaces: %s at the source, %s at the \
          destination. Nothing was touched.\
          """
              .formatted(source.getInterface(), destination.getInterface()));
    }
    if (!source.getModel().equals(destination.getModel())) {
      return objection(
          ConditionReason.INCOMPATIBLE_DEVICE,
          """
          The devices are of different models: %s at the source, %s at the destination. Nothing \
          was touched.\
          """
              .formatted(source.getModel(), destination.getModel()));
    }
    Optional<Objection> layout = layoutMismatch(source, destination);
    if (layout.isPresent()) {
      return layout;
    }
    List<String> differences =
        driverDifferences(source.getDriverProfile(), destination.getDriverProfile());
    return differences.isEmpty()
        ? Optional.empty()
        : objection(
            ConditionReason.INCOMPATIBLE_DEVICE,
            "The drivers behind the devices differ, and a device's state is its driver's own"
                + " format: "
                + String.join("; ", differences)
                + ". Nothing was touched. Choose a destination with the same driver and device"
                + " type.");
  }

  private static Optional<Objection> layoutMismatch(Device source, Device destination) {
    Set<String> sent = windows(source);
    Set<String> taken = windows(destination);
    // A workload that waits for a device of the kernel is handed the windows; it declares none.
    boolean declared = !source.hasPlace() && !destination.hasPlace();
    List<String> differences =
        Stream.of(
                difference(
                    "page size",
                    Integer.toUnsignedString(source.getPageSize()),
                    Integer.toUnsignedString(destination.getPageSize())),
                difference(
                    "memory windows of the workload",
                    declared ? String.join(", ", sent) : "",
                    declared ? String.join(", ", taken) : ""))
            .flatMap(Optional::stream)
            .toList();
    return differences.isEmpty()
        ? Optional.empty()
        : objection(
            ConditionReason.INCOMPATIBLE_DEVICE,
            "The devices, or what their workloads declare, differ: "
                + String.join("; ", differences)
                + ". Nothing was touched. Both workloads declare the same windows.");
  }

  private static Set<String> windows(Device device) {
    return device.getDmaWindowsList().stream()
        .map(
            window ->
                "%s (%s bytes at 0x%s)"
                    .formatted(
                        window.getName(),
                        Long.toUnsignedString(window.getSize()),
                        Long.toHexString(window.getIova())))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** The destination's agent compares them again before it touches anything. */
  private static List<String> driverDifferences(DriverProfile source, DriverProfile destination) {
    return Stream.of(
            difference("driver", source.getDriver(), destination.getDriver()),
            difference("mdev type", source.getMdevType(), destination.getMdevType()),
            difference("migration features", flags(source), flags(destination)),
            difference("stream version", source.getStreamVersion(), destination.getStreamVersion()))
        .flatMap(Optional::stream)
        .toList();
  }

  private static Optional<String> difference(String what, String source, String destination) {
    return source.equals(destination)
        ? Optional.empty()
        : Optional.of(
            "%s %s at the source, %s at the destination"
                .formatted(what, orNone(source), orNone(destination)));
  }

  private static String flags(DriverProfile profile) {
    return profile.getFlagsList().stream().sorted().collect(Collectors.joining(", "));
  }

  private static String orNone(String value) {
    return value.isEmpty() ? "(none)" : value;
  }

  private static Optional<Objection> objection(ConditionReason reason, String message) {
    return Optional.of(new Objection(reason, message));
  }
}
