package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.MigrationInterface;
import org.junit.jupiter.api.Test;

/** The migration region is found by its type alone, and only where it is sound. */
class RegionDiscoveryTest {
  private static final String ID = "vfio-user:gpu-0";

  private final RecordingAccess access = new RecordingAccess(4096);

  private static DeviceInfo regions(long count) {
    return new DeviceInfo(true, false, count);
  }

  private DeviceException failure() {
    return catchThrowableOfType(DeviceException.class, () -> Region2018.describe(ID, access, 4096));
  }

  private DeviceException failureWith(RegionInfo info) {
    access.region(RecordingAccess.REGION, info);
    return failure();
  }

  @Test
  void itIsTheFirstOfItsTypeFromIndexNineOn() throws DeviceException {
    access
        .info(regions(12))
        .region(9, RegionInfoBytes.plain(9, 8192).parse())
        .region(10, RegionInfoBytes.plain(10, 8192).capability(99).type(1 << 30, 2).parse())
        .region(11, RegionInfoBytes.plain(11, 16384).capability(99).type(1 << 30, 1).parse());
    DeviceDescription description = Region2018.describe(ID, access, 4096);
    assertThat(description)
        .isEqualTo(
            new DeviceDescription(
                ID, MigrationInterface.REGION_2018, "unknown", 16384, true, true, 4096));
    assertThat(access.accesses()).as("nothing of the device is touched").isEmpty();
  }

  @Test
  void aRegionOfThatTypeBelowIndexNineIsNotIt() {
    access.info(regions(9)).region(8, RegionInfoBytes.migration(8, 4096).parse());
    assertThat(failure().kind()).isEqualTo(Kind.NOT_MIGRATABLE);
  }

  @Test
  void aDeviceWithoutMigrationRegionCannotMigrate() {
    DeviceException failure = failureWith(RegionInfoBytes.plain(9, 4096).type(3, 1).parse());
    assertThat(failure.kind()).isEqualTo(Kind.NOT_MIGRATABLE);
    assertThat(failure)
        .hasMessageContainingAll(ID, "has no migration region", "Nothing was done to the device");
  }

  @Test
  void aMalformedChainNamesTheRegion() {
    DeviceException failure =
        failureWith(RegionInfoBytes.plain(9, 4096).type(1 << 30, 1).patch(12, 3).parse());
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(failure).hasMessageContaining("its region 9 against the rules");
  }

  @Test
  void aRegionWithoutRoomForDataIsRefused() {
    for (long size : new long[] {0, 75, 76, -1}) {
      DeviceException failure = failureWith(RegionInfoBytes.migration(9, size).parse());
      assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
      assertThat(failure).hasMessageContaining("its size of " + Long.toUnsignedString(size));
    }
  }

  @Test
  void aRegionThatCannotBeReadOrWrittenIsRefused() {
    for (int flags : new int[] {0b1000, 0b1001, 0b1010}) {
      DeviceException failure =
          failureWith(RegionInfoBytes.migration(9, 4096).flags(flags).parse());
      assertThat(failure).hasMessageContaining("not both readable and writable");
    }
  }

  @Test
  void anAnswerAboutAnotherRegionIsRefused() {
    DeviceException failure = failureWith(RegionInfoBytes.migration(8, 4096).parse());
    assertThat(failure).hasMessageContaining("was told of region 8");
  }

  @Test
  void anAbsurdNumberOfRegionsIsRefusedWithoutWalkingThem() {
    access.info(regions(0xffff_ffffL));
    DeviceException failure = failure();
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(failure).hasMessageContaining("4294967295 regions");
  }

  @Test
  void theModelOfAPciDeviceComesFromItsConfigurationSpace() throws DeviceException {
    access.info(new DeviceInfo(true, true, 10)).region(7, RegionInfoBytes.plain(7, 256).parse());
    byte[] vendorAndDevice = {(byte) 0xde, 0x10, (byte) 0xb0, 0x20};
    byte[] subsystem = {(byte) 0xde, 0x10, 0x50, 0x14};
    access.memory().put(0, vendorAndDevice).put(0x2c, subsystem);
    assertThat(Region2018.describe(ID, access, 4096).model()).isEqualTo("10de:20b0:10de:1450");
    assertThat(access.accesses()).containsExactly("read 0/4", "read 44/4");
  }

  @Test
  void aPciDeviceThatDoesNotTellItsIdentityIsUnknown() throws DeviceException {
    access.info(new DeviceInfo(true, true, 10)).region(7, RegionInfoBytes.plain(7, 0).parse());
    assertThat(Region2018.describe(ID, access, 4096).model()).isEqualTo("unknown");
    access.region(7, RegionInfoBytes.plain(7, 256).parse()).fail("read 44/4", Reason.REFUSED, 5);
    assertThat(Region2018.describe(ID, access, 4096).model()).isEqualTo("unknown");
  }
}
