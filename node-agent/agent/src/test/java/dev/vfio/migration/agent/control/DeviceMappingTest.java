package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DeviceMappingTest {
  private static final DriverProfile PROFILE =
      new DriverProfile(
          "nvidia", "nvidia-471", Set.of(MigrationFlag.PRE_COPY, MigrationFlag.STOP_COPY), "535.1");

  private static Device.Builder device(dev.vfio.migration.contract.v1.DriverProfile profile) {
    return Device.newBuilder()
        .setId("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
        .setInterface(MigrationInterface.FEATURE_V2)
        .setModel("10de:1eb8 10de:12a2")
        .setPageSize(4096)
        .setDriverProfile(profile);
  }

  private static void assertRefused(
      dev.vfio.migration.contract.v1.DriverProfile.Builder profile, Reason reason, String message) {
    assertThatThrownBy(() -> DeviceMapping.description(device(profile.build()).build()))
        .isInstanceOfSatisfying(
            Refusal.class,
            refusal -> {
              assertThat(refusal.failure().reason()).isEqualTo(reason);
              assertThat(refusal.failure().message()).contains(message);
            });
  }

  private static dev.vfio.migration.contract.v1.DriverProfile.Builder profile() {
    return DeviceMapping.profile(PROFILE).toBuilder();
  }

  @Test
  void aDriverProfileArrivesAsItWasSent() throws Refusal {
    assertThat(DeviceMapping.description(device(profile().build()).build()).driver())
        .isEqualTo(PROFILE);
    assertThat(profile().getFlagsList())
        .as("in the order of their bits, whatever order the set has")
        .containsExactly("STOP_COPY", "PRE_COPY");
  }

  @Test
  void anAgentThatKnowsNoDriversSendsNone() throws Refusal {
    Device device = device(profile().build()).clearDriverProfile().build();
    assertThat(DeviceMapping.description(device).driver()).isEqualTo(DriverProfile.NONE);
  }

  @Test
  void aFeatureThatIsNotKnownHereIsNotIgnored() {
    assertRefused(profile().addFlags("MULTI_FD"), Reason.INCOMPATIBLE_DEVICE, "MULTI_FD");
  }

  @Test
  void whatIsNoNameIsRefused() {
    assertRefused(profile().setDriver("a\nb"), Reason.INVALID_REQUEST, "driver_profile.driver");
    assertRefused(
        profile().setMdevType("x".repeat(513)), Reason.INVALID_REQUEST, "driver_profile.mdev_type");
    assertRefused(
        profile().setStreamVersion("x".repeat(4097)),
        Reason.INVALID_REQUEST,
        "driver_profile.stream_version");
  }

  @Test
  void aDeviceThatCannotMigrateIsNoSource() {
    assertThatThrownBy(
            () -> DeviceMapping.description(Device.newBuilder().setId("0000:65:00.1").build()))
        .isInstanceOf(Refusal.class)
        .hasMessageContaining("cannot migrate");
  }
}
