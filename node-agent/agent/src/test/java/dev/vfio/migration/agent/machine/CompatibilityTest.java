package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What two devices must agree on, and how each difference is reported. */
class CompatibilityTest {
  private static final DriverProfile MTTY =
      new DriverProfile(
          "mtty",
          "mtty-2",
          Set.of(MigrationFlag.STOP_COPY, MigrationFlag.P2P, MigrationFlag.PRE_COPY),
          "");

  private static DeviceDescription device(String id, DriverProfile driver) {
    return new DeviceDescription(
        id, MigrationInterface.FEATURE_V2, "4348:3253", 0, true, false, 4096, driver);
  }

  private static Failure compare(DeviceDescription source, DeviceDescription here) {
    return Compatibility.check(
        new DestinationSpec(
            new SessionKey("move", 1), "default/move", here.id(), "a", source, List.of(), 1),
        here,
        DeviceState.NONE);
  }

  private static Failure compare(DriverProfile source, DriverProfile here) {
    return compare(device("theirs", source), device("ours", here));
  }

  private static void assertDiffers(DriverProfile here, String difference) {
    Failure refusal = compare(MTTY, here);
    assertThat(refusal.reason()).isEqualTo(Reason.INCOMPATIBLE_DEVICE);
    assertThat(refusal.message())
        .contains("the source's device theirs and the device ours here differ: " + difference + ".")
        .contains("Neither was touched");
  }

  @Test
  void devicesOfOneDriverAndTypeFit() {
    assertThat(compare(MTTY, MTTY)).isNull();
    assertThat(compare(DriverProfile.NONE, DriverProfile.NONE)).isNull();
  }

  @Test
  void anotherDriverCannotReadTheState() {
    assertDiffers(
        new DriverProfile("mtty_next", "mtty-2", MTTY.flags(), ""), "driver mtty and mtty_next");
    assertDiffers(new DriverProfile("", "mtty-2", MTTY.flags(), ""), "driver mtty and (none)");
  }

  @Test
  void anotherTypeHasOtherState() {
    assertDiffers(
        new DriverProfile("mtty", "mtty-1", MTTY.flags(), ""), "mdev type mtty-2 and mtty-1");
  }

  @Test
  void aDeviceThatOffersOtherFeaturesMayNotTakeWhatThisOneSends() {
    assertDiffers(
        new DriverProfile("mtty", "mtty-2", Set.of(MigrationFlag.STOP_COPY), ""),
        "migration features STOP_COPY, P2P, PRE_COPY and STOP_COPY");
    assertDiffers(
        new DriverProfile("mtty", "mtty-2", Set.of(), ""),
        "migration features STOP_COPY, P2P, PRE_COPY and (none)");
  }

  @Test
  void theDriversOwnVersionOfItsStreamDecides() {
    assertDiffers(
        new DriverProfile("mtty", "mtty-2", MTTY.flags(), "7"),
        "the driver's stream version (none) and 7");
  }

  @Test
  void everyDifferenceIsReportedAtOnce() {
    DeviceDescription here =
        new DeviceDescription(
            "ours",
            MigrationInterface.REGION_V1,
            "10de:1eb8",
            4096,
            true,
            false,
            65536,
            new DriverProfile("nvidia", "nvidia-471", Set.of(), "535.1"));
    assertThat(compare(device("theirs", MTTY), here).message())
        .contains("interface FEATURE_V2 and REGION_V1")
        .contains("model 4348:3253 and 10de:1eb8")
        .contains("page size 4096 and 65536")
        .contains("driver mtty and nvidia")
        .contains("mdev type mtty-2 and nvidia-471")
        .contains("migration features STOP_COPY, P2P, PRE_COPY and (none)")
        .contains("the driver's stream version (none) and 535.1")
        .contains("region size 0 and 4096");
  }
}
