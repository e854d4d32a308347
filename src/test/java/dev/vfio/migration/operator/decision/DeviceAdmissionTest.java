package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceHolder;
import dev.vfio.migration.contract.v1.DevicePlace;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Devices that do not fit are refused while nothing was touched, with the agent's own words. */
class DeviceAdmissionTest {
  private static final DriverProfile MTTY =
      DriverProfile.newBuilder()
          .setDriver("mtty")
          .setMdevType("mtty-2")
          .addFlags("STOP_COPY")
          .addFlags("P2P")
          .build();

  private final MigrationScene scene = new MigrationScene().phase(Phase.VALIDATING);

  private static UnaryOperator<Device.Builder> device(DriverProfile profile) {
    return device ->
        device
            .setInterface(MigrationInterface.FEATURE_V2)
            .setModel("4348:3253")
            .setDriverProfile(profile);
  }

  private static UnaryOperator<Device.Builder> notMigratable(Reason reason, String message) {
    return device ->
        device.setNotMigratable(Failure.newBuilder().setReason(reason).setMessage(message));
  }

  private String refusal(
      UnaryOperator<Device.Builder> source, UnaryOperator<Device.Builder> destination) {
    Decision decision =
        scene.listed(Role.SOURCE, source).listed(Role.DESTINATION, destination).decide();
    assertThat(decision.commands()).as("nothing is touched").isEmpty();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(scene.status().conditions())
        .filteredOn(condition -> condition.type().equals("Validated"))
        .extracting(Condition::status)
        .containsExactly(Condition.Status.FALSE);
    return scene.message(ConditionType.VALIDATED);
  }

  /** Nothing could be committed on its word; that is not to be found out in the pause. */
  @Test
  void aDestinationWhoseAgentCannotVerifyWhatItLoadedIsRefused() {
    assertThat(
            scene
                .destinationAgent(new Side.Reachable("10.0.0.2", "0.0.9", false))
                .decide()
                .commands())
        .isEmpty();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("AgentTooOld");
    assertThat(scene.message(ConditionType.VALIDATED))
        .contains("node-b", "version 0.0.9", "Nothing was touched");
  }

  @Test
  void aPlainVfioPciDeviceIsRefusedInTheWordsOfItsAgent() {
    assertThat(
            refusal(
                notMigratable(
                    Reason.NO_MIGRATION_REGION,
                    "the device 0000:01:00.0 has no migration interface (VFIO_DEVICE_FEATURE:"
                        + " ENOTTY)"),
                device(MTTY)))
        .isEqualTo(
            "Device vfio-user:gpu-0 on node node-a (source) cannot migrate: the device 0000:01:00.0"
                + " has no migration interface (VFIO_DEVICE_FEATURE: ENOTTY). Nothing was"
                + " touched.");
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("NoMigrationRegion");
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo("NoMigrationRegion");
  }

  @Test
  void aDeviceOfAVirtualMachineIsRefusedInTheWordsOfItsAgent() {
    assertThat(
            refusal(
                notMigratable(
                    Reason.DEVICE_BUSY,
                    "it is held by qemu-system-x86_64 (process 99), which runs a virtual machine."),
                device(MTTY)))
        .contains("held by qemu-system-x86_64 (process 99), which runs a virtual machine. Nothing");
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("DeviceBusy");
  }

  @Test
  void aDestinationWithoutAWaitingWorkloadIsRefusedInTheWordsOfItsAgent() {
    assertThat(
            refusal(
                device(MTTY),
                notMigratable(Reason.WORKLOAD_UNREACHABLE, "no workload uses it: nobody waits")))
        .contains(
            "on node node-b (destination) cannot migrate: no workload uses it: nobody waits.");
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("WorkloadUnreachable");
  }

  @Test
  void whatAnEarlierMigrationLeftAtEitherEndIsToBeResetFirst() {
    UnaryOperator<Device.Builder> left =
        notMigratable(
            Reason.DEVICE_NOT_RESET,
            "the device is in SAVE_COMPLETED. Reset it first: echo 1 >"
                + " /sys/bus/pci/devices/0000:65:00.1/reset");
    assertThat(refusal(left, device(MTTY)))
        .contains("node-a (source)", "Reset it first: echo 1 >", "Nothing was touched.");
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("DeviceNotReset");
  }

  @Test
  void aDestinationThatAnEarlierMigrationLeftIsToBeResetFirst() {
    assertThat(refusal(device(MTTY), notMigratable(Reason.DEVICE_NOT_RESET, "Reset it first")))
        .contains("node-b (destination)", "Reset it first. Nothing was touched.");
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo("DeviceNotReset");
  }

  /** An agent from before there was that reason lists the state alone. */
  @Test
  void aDeviceThatIsLeftInTheMiddleIsRefusedWhateverItsAgentMakesOfIt() {
    for (DeviceState state : DeviceState.values()) {
      boolean fine =
          switch (state) {
            case DEVICE_STATE_UNSPECIFIED, NONE, RUNNING, UNRECOGNIZED -> true;
            default -> false;
          };
      for (Role role : fine ? List.<Role>of() : List.of(Role.SOURCE, Role.DESTINATION)) {
        MigrationScene other = new MigrationScene().phase(Phase.VALIDATING);
        other.listed(Role.SOURCE, device(MTTY)).listed(Role.DESTINATION, device(MTTY));
        other.listed(role, device -> device(MTTY).apply(device).setState(state)).decide();
        assertThat(other.reason(ConditionType.VALIDATED)).isEqualTo("DeviceNotReset");
        assertThat(other.message(ConditionType.VALIDATED)).contains("is in " + state);
      }
    }
  }

  /** What the inventory shows of the workload is not found out by preparing the destination. */
  @Test
  void aWorkloadThatIsNotWhereItShouldBeIsRefused() {
    for (WorkloadState state : WorkloadState.values()) {
      if (state == WorkloadState.UNRECOGNIZED) {
        continue;
      }
      for (Role role : List.of(Role.SOURCE, Role.DESTINATION)) {
        boolean fits =
            state == WorkloadState.WORKLOAD_STATE_UNSPECIFIED
                || state
                    == (role == Role.SOURCE
                        ? WorkloadState.WORKLOAD_RUNNING
                        : WorkloadState.WORKLOAD_WAITING);
        MigrationScene other = new MigrationScene().phase(Phase.VALIDATING);
        other.listed(Role.SOURCE, device(MTTY)).listed(Role.DESTINATION, device(MTTY));
        other
            .listed(
                role,
                device ->
                    device(MTTY)
                        .apply(device)
                        .setWorkloadState(state)
                        .setHolder(DeviceHolder.newBuilder().setPid(77).setCommand("engine")))
            .decide();
        assertThat(other.reason(ConditionType.VALIDATED))
            .as(role + " " + state)
            .isEqualTo(fits ? "Valid" : "DeviceBusy");
        assertThat(other.status().touched().destination()).isEqualTo(fits);
        if (!fits) {
          assertThat(other.message(ConditionType.VALIDATED)).contains("process 77, engine");
        }
      }
    }
  }

  @Test
  void otherWindowsOrPagesAreRefusedBeforeTheDestinationIsPrepared() {
    DmaWindow.Builder ring = DmaWindow.newBuilder().setName("ring").setIova(4096);
    assertThat(
            refusal(
                device -> device(MTTY).apply(device).addDmaWindows(ring.setSize(8192)),
                device -> device(MTTY).apply(device).addDmaWindows(ring.setSize(4096))))
        .contains("ring (8192 bytes at 0x1000) at the source, ring (4096 bytes at 0x1000)");
    assertThat(
            new MigrationScene()
                .phase(Phase.VALIDATING)
                .listed(Role.SOURCE, device -> device(MTTY).apply(device).setPageSize(4096))
                .listed(Role.DESTINATION, device -> device(MTTY).apply(device).setPageSize(65536))
                .decide()
                .status()
                .rollback()
                .message())
        .contains("page size 4096 at the source, 65536 at the destination");
  }

  /** It is handed the windows with the device. */
  @Test
  void aWorkloadThatWaitsForADeviceOfTheKernelDeclaresNoWindows() {
    scene
        .listed(
            Role.SOURCE,
            device ->
                device(MTTY)
                    .apply(device)
                    .setPlace(DevicePlace.getDefaultInstance())
                    .addDmaWindows(DmaWindow.newBuilder().setName("ring").setSize(4096)))
        .listed(
            Role.DESTINATION,
            device -> device(MTTY).apply(device).setPlace(DevicePlace.getDefaultInstance()))
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.PREPARING);
  }

  @Test
  void everyDifferenceOfTheDriversIsReported() {
    String message =
        refusal(
            device(MTTY),
            device(
                DriverProfile.newBuilder()
                    .setDriver("mtty2")
                    .addFlags("STOP_COPY")
                    .setStreamVersion("7")
                    .build()));
    assertThat(message)
        .contains("driver mtty at the source, mtty2 at the destination")
        .contains("mdev type mtty-2 at the source, (none) at the destination")
        .contains("migration features P2P, STOP_COPY at the source, STOP_COPY at the destination")
        .contains("stream version (none) at the source, 7 at the destination")
        .contains("Nothing was touched");
    assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("IncompatibleDevice");
  }

  @Test
  void devicesThatFitAreAdmittedAndTheirInterfaceIsRecorded() {
    scene
        .listed(Role.SOURCE, device(MTTY))
        .listed(
            Role.DESTINATION,
            device(MTTY.toBuilder().clearFlags().addFlags("P2P").addFlags("STOP_COPY").build()))
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.PREPARING);
    assertThat(scene.status().migrationInterface()).isEqualTo("FEATURE_V2");
  }

  /** Nothing said against a device is not something said for it. */
  @Test
  void aDeviceThatDoesNotSayHowItMigratesIsRefused() {
    assertThat(refusal(Device.Builder::clearInterface, device(MTTY)))
        .contains("does not say by which interface device vfio-user:gpu-0 migrates");
  }

  @Test
  void aDeviceOfAnInterfaceThatIsNotKnownIsRefused() {
    assertThat(refusal(device(MTTY), device -> device.setInterfaceValue(77))).contains("(77)");
  }
}
