package dev.vfio.migration.operator.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceHolder;
import dev.vfio.migration.contract.v1.DevicePlace;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.DriverProfile;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.VfioDevice;
import dev.vfio.migration.operator.api.VfioDeviceCounts;
import dev.vfio.migration.operator.api.VfioDeviceHolder;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What users read of a device. */
class DeviceViewTest {
  private static final String ID = "0000:65:00.1";

  private static VfioDevice view(Device.Builder device) {
    return DeviceView.of(device.build(), claim -> "the migration " + claim);
  }

  private static Device.Builder kernelDevice() {
    return Device.newBuilder()
        .setId(ID)
        .setInterface(MigrationInterface.FEATURE_V2)
        .setModel("15b3:101e")
        .setPlace(
            DevicePlace.newBuilder()
                .setPciAddress(ID)
                .setPciIds("15b3:101e 15b3:0008")
                .setIommuGroup(41)
                .setCharacterDevice("vfio3")
                .setNumaNode(1))
        .setDriverProfile(
            DriverProfile.newBuilder()
                .setDriver("mlx5_vfio_pci")
                .addFlags("STOP_COPY")
                .addFlags("P2P"));
  }

  private static Device.Builder with(Device.Builder device, Reason reason, String message) {
    return device.setNotMigratable(Failure.newBuilder().setReason(reason).setMessage(message));
  }

  @Test
  void everythingThatTheAgentReportsIsShown() {
    VfioDevice view =
        view(
            kernelDevice()
                .setState(DeviceState.RUNNING)
                .setBusy(true)
                .setWorkloadState(WorkloadState.WORKLOAD_RUNNING)
                .setHolder(
                    DeviceHolder.newBuilder()
                        .setPid(4711)
                        .setCommand("dpdk-app")
                        .setCgroup("/kubepods/pod1/c2")
                        .setUser(1000)));
    assertThat(view)
        .isEqualTo(
            new VfioDevice(
                ID,
                ID,
                "15b3:101e 15b3:0008",
                null,
                "mlx5_vfio_pci",
                null,
                41,
                "vfio3",
                1,
                "FEATURE_V2",
                List.of("STOP_COPY", "P2P"),
                "15b3:101e",
                "RUNNING",
                true,
                new VfioDeviceHolder(4711L, "dpdk-app", "/kubepods/pod1/c2", 1000L, false),
                null,
                "RUNNING",
                true,
                null));
  }

  @Test
  void whatIsNotThereIsNotWritten() {
    VfioDevice view =
        view(
            Device.newBuilder()
                .setId(ID)
                .setPlace(DevicePlace.newBuilder().setIommuGroup(-1).setNumaNode(-1))
                .setNotMigratable(Failure.newBuilder().setMessage("no")));
    assertThat(Serialization.asJson(view))
        .isEqualTo(
            "{\"id\":\"0000:65:00.1\",\"busy\":false,\"migratable\":false,\"problem\":\"no\"}");
  }

  @Test
  void groupNumberNoughtIsAGroup() {
    assertThat(view(Device.newBuilder().setPlace(DevicePlace.getDefaultInstance())).iommuGroup())
        .isZero();
    assertThat(view(Device.newBuilder().setId("vfio-user:gpu-0")).iommuGroup()).isNull();
  }

  @Test
  void aDeviceWithoutAMigrationInterfaceCannotMove() {
    VfioDevice view =
        view(
            with(
                kernelDevice().clearInterface(),
                Reason.NO_MIGRATION_REGION,
                "vfio-pci has no migration support"));
    assertThat(view.migratable()).isFalse();
    assertThat(view.problem()).isEqualTo("vfio-pci has no migration support");
  }

  @Test
  void aFreeDeviceMayBeADestinationOnceAWorkloadWaits() {
    VfioDevice view = view(with(kernelDevice(), Reason.WORKLOAD_UNREACHABLE, "nobody waits"));
    assertThat(view.migratable()).isTrue();
    assertThat(view.problem()).isEqualTo("nobody waits");
  }

  @Test
  void aDeviceWhoseWorkloadIsNotReachedCannotMove() {
    assertThat(
            view(with(kernelDevice().setBusy(true), Reason.WORKLOAD_UNREACHABLE, "dead"))
                .migratable())
        .isFalse();
    assertThat(view(with(kernelDevice(), Reason.DEVICE_BUSY, "a virtual machine's")).migratable())
        .isFalse();
  }

  @Test
  void aDeviceThatAMigrationLeftBehindIsToBeResetFirst() {
    VfioDevice view = view(kernelDevice().setState(DeviceState.SAVE_COMPLETED));
    assertThat(view.migratable()).isFalse();
    assertThat(view.problem()).contains("SAVE_COMPLETED").contains("reset");
    assertThat(
            view(kernelDevice().setState(DeviceState.PRECOPY).setClaimedBy("uid/1")).migratable())
        .as("one that migrates now is not left behind")
        .isTrue();
  }

  @Test
  void aDeviceThatIsToBeResetFirstIsNotMigratableAndItsAgentSaysHow() {
    VfioDevice view =
        view(
            with(
                kernelDevice().setState(DeviceState.SAVE_COMPLETED),
                Reason.DEVICE_NOT_RESET,
                "Reset it first: echo 1 > /sys/bus/pci/devices/0000:65:00.1/reset"));
    assertThat(view.migratable()).isFalse();
    assertThat(view.state()).isEqualTo("SAVE_COMPLETED");
    assertThat(view.problem()).contains("Reset it first: echo 1 >");
  }

  @Test
  void aClaimedDeviceIsBusyAndNamesItsMigration() {
    VfioDevice view = view(kernelDevice().setClaimedBy("uid/1"));
    assertThat(view.claimedBy()).isEqualTo("the migration uid/1");
    assertThat(view.busy()).isTrue();
  }

  @Test
  void anAgentWithMuchToSayDoesNotFillTheApiServer() {
    assertThat(view(with(kernelDevice(), Reason.DEVICE_BUSY, "x".repeat(100_000))).problem())
        .hasSize(DeviceView.MAX_TEXT);
  }

  @Test
  void valuesOfANewerAgentAreLeftOut() {
    VfioDevice view =
        view(kernelDevice().setInterfaceValue(77).setStateValue(77).setWorkloadStateValue(77));
    assertThat(view.migrationInterface()).isNull();
    assertThat(view.state()).isNull();
    assertThat(view.workload()).isNull();
    assertThat(view.migratable()).isFalse();
  }

  @Test
  void countsAreOfTheDevices() {
    List<VfioDevice> devices =
        List.of(
            view(kernelDevice().setBusy(true)),
            view(kernelDevice()),
            view(Device.newBuilder().setId("x").setBusy(true)));
    assertThat(VfioDeviceCounts.of(devices)).isEqualTo(new VfioDeviceCounts(3, 2, 2));
  }

  @Test
  void whatAnAgentSaysIsOneLineOfABoundedLength() {
    String forged = "x\nNAME READY\r\u2028\u001b[2K\u202e" + "機".repeat(100_000);
    VfioDevice view =
        view(
            with(
                kernelDevice()
                    .setId(forged)
                    .setModel(forged)
                    .setClaimedBy(forged)
                    .setPlace(
                        DevicePlace.newBuilder()
                            .setPciAddress(forged)
                            .setPciIds(forged)
                            .setCharacterDevice(forged))
                    .setDriverProfile(
                        DriverProfile.newBuilder()
                            .setDriver(forged)
                            .setMdevType(forged)
                            .setStreamVersion(forged)
                            .addAllFlags(Collections.nCopies(1000, forged)))
                    .setHolder(DeviceHolder.newBuilder().setCommand(forged).setCgroup(forged)),
                Reason.NO_MIGRATION_REGION,
                forged));
    assertThat(ForeignText.isPlain(view.toString())).isTrue();
    assertThat(Serialization.asJson(view).getBytes(java.nio.charset.StandardCharsets.UTF_8).length)
        .isLessThan(64 << 10);
    assertThat(view.problem()).startsWith("x\\nNAME READY").contains("(cut, 100");
  }
}
