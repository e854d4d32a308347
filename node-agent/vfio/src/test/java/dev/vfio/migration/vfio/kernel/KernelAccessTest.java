package dev.vfio.migration.vfio.kernel;

import static dev.vfio.migration.vfio.linux.TestFiles.room;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Duplicates;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.Host;
import dev.vfio.migration.vfio.linux.InterceptedCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An open device of the kernel, with a model of VFIO behind the system calls. */
@Timeout(120)
class KernelAccessTest {
  private static final String ID = "0000:65:00.1";
  private static final int PAGE = Host.pageSize();

  @TempDir Path folder;
  private Path directory;
  private VfioModel model;

  @BeforeEach
  void nodes() throws IOException {
    directory = ModelNodes.in(folder);
    model = new VfioModel(directory, ID);
  }

  /** What is done with an open device. */
  @FunctionalInterface
  private interface Use {
    void of(KernelAccess device) throws Exception;
  }

  /** Opens the device, uses it, closes it, and finds nothing left over. */
  private void open(Use use) throws Exception {
    NodeDevice device = ModelNodes.device(ID, folder);
    InterceptedCalls.run(
        model,
        () -> {
          try (KernelAccess access = KernelAccess.open(device, directory, NodeChoice.AUTO)) {
            model.calls.clear();
            use.of(access);
          }
        });
    assertThat(ModelNodes.left(folder)).isEmpty();
  }

  private static ByteBuffer content(long offset, int bytes) {
    ByteBuffer buffer = room(bytes);
    for (int i = 0; i < bytes; i++) {
      buffer.put(i, VfioModel.content(VfioModel.REGION_PLACE + offset + i));
    }
    return buffer;
  }

  @Test
  void aRegisterIsOneAccessEvenWhereItIsShort() throws Exception {
    open(
        device -> {
          ByteBuffer register = room(8);
          assertThat(device.readRegion(VfioModel.REGION_INDEX, 12, register)).isEqualTo(8);
          assertThat(register.flip()).isEqualTo(content(12, 8));
          model.mostAtOnce = 4;
          assertThat(device.readRegion(VfioModel.REGION_INDEX, 4, room(8))).isEqualTo(4);
          assertThat(device.writeRegion(VfioModel.REGION_INDEX, 20, content(20, 8))).isEqualTo(4);
          assertThat(model.calls)
              .containsExactly("ioctl 3b6c", "pread 8 at 12", "pread 8 at 4", "pwrite 8 at 20");
        });
  }

  @Test
  void bulkGoesOnAfterShortTransfersAndSignals() throws Exception {
    model.interrupting = true;
    open(
        device -> {
          model.mostAtOnce = 3000;
          ByteBuffer read = room(100_001).position(1);
          assertThat(device.readRegion(VfioModel.REGION_INDEX, 500, read)).isEqualTo(100_000);
          assertThat(read.position()).isEqualTo(100_001);
          assertThat(read.slice(1, 100_000)).isEqualTo(content(500, 100_000));
          ByteBuffer written = content(76, 10_000);
          assertThat(device.writeRegion(VfioModel.REGION_INDEX, 76, written)).isEqualTo(10_000);
          assertThat(model.calls).endsWith("pwrite 4000 at 6076", "pwrite 1000 at 9076");
        });
  }

  @Test
  void bulkEndsWhereTheDriverMovesNothingMore() throws Exception {
    open(
        device -> {
          model.mostAtOnce = 1000;
          model.brokenFrom = 3000;
          ByteBuffer read = room(5000);
          assertThat(device.readRegion(VfioModel.REGION_INDEX, 0, read)).isEqualTo(3000);
          assertThat(read.position()).isEqualTo(3000);
          model.brokenAnswer = -Errno.EIO.number();
          ByteBuffer again = room(5000);
          AccessException failure =
              catchThrowableOfType(
                  AccessException.class, () -> device.readRegion(VfioModel.REGION_INDEX, 0, again));
          assertThat(failure).hasMessage("pread failed: EIO (5)");
          assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
          assertThat(again.position()).isEqualTo(3000);
          model.brokenAnswer = -Errno.ENODEV.number();
          AccessException removed =
              catchThrowableOfType(
                  AccessException.class,
                  () -> device.writeRegion(VfioModel.REGION_INDEX, 4000, room(4)));
          assertThat(removed.reason()).isEqualTo(Reason.UNREACHABLE);
        });
  }

  @Test
  void nothingOutsideTheRegionIsTouchedAlsoWhereItShrankOrGrew() throws Exception {
    open(
        device -> {
          long end = VfioModel.REGION_SIZE;
          assertThat(device.readRegion(VfioModel.REGION_INDEX, end - 8, room(8))).isEqualTo(8);
          model.calls.clear();
          for (long offset : new long[] {end - 7, end, -1, Long.MAX_VALUE}) {
            AccessException failure =
                catchThrowableOfType(
                    AccessException.class,
                    () -> device.readRegion(VfioModel.REGION_INDEX, offset, room(8)));
            assertThat(failure.errno()).as("at %s", offset).isEqualTo(Errno.EINVAL.number());
          }
          assertThat(model.calls).containsOnly("ioctl 3b6c");
          model.regionSize = 2 * end;
          assertThat(device.readRegion(VfioModel.REGION_INDEX, end, room(8))).isEqualTo(8);
          model.regionSize = 64;
          device.regionInfo(VfioModel.REGION_INDEX);
          assertThatThrownBy(() -> device.readRegion(VfioModel.REGION_INDEX, 60, room(8)))
              .hasMessage("8 bytes at 60 are not inside region 9, which has 64 bytes at present");
        });
  }

  @Test
  void aRegionsDescriptionIsAskedForWithTheRoomItNeedsAndNoMore() throws Exception {
    open(
        device -> {
          model.regionInfoNeeds = 5000;
          RegionInfo info = device.regionInfo(VfioModel.REGION_INDEX);
          assertThat(info.structure().limit()).isEqualTo(5000);
          assertThat(info.firstCapability()).isEqualTo(32);
          assertThat(info.structure().get(4999)).isEqualTo((byte) 4999);
          assertThat(model.calls).containsExactly("ioctl 3b6c", "ioctl 3b6c");
          model.regionInfoNeeds = (64 << 10) + 1;
          AccessException failure =
              catchThrowableOfType(
                  AccessException.class, () -> device.regionInfo(VfioModel.REGION_INDEX));
          assertThat(failure.reason()).isEqualTo(Reason.VIOLATION);
          assertThat(failure).hasMessageContaining("needs 65537 bytes; at most 65536 are taken");
          assertThatThrownBy(() -> device.regionInfo(3)).hasMessageContaining("EINVAL (22)");
        });
  }

  @Test
  void aFeatureTravelsWithItsHeaderAndComesBackInPlace() throws Exception {
    model.interrupting = true;
    open(
        device -> {
          ByteBuffer payload = room(12).position(4);
          payload.putLong(4, 0x0102030405060708L).putInt(0, -1);
          device.set(6, payload);
          ByteBuffer sent = ByteBuffer.wrap(model.lastFeature).order(payload.order());
          assertThat(sent.getInt(0)).as("argsz").isEqualTo(16);
          assertThat(sent.getInt(4)).as("flags").isEqualTo(6 | 1 << 17);
          assertThat(sent.getLong(8)).isEqualTo(0x0102030405060708L);
          assertThat(payload.getLong(4)).isEqualTo(0x0203040506070809L);
          assertThat(payload.getInt(0)).isEqualTo(-1);
          assertThat(payload.position()).isEqualTo(4);
          device.get(7, room(0));
          assertThat(ByteBuffer.wrap(model.lastFeature).order(payload.order()).getLong(0))
              .isEqualTo(8 | (7L | 1 << 16) << 32);
          assertThatThrownBy(() -> device.get(1 << 16, room(0)))
              .isInstanceOf(IllegalArgumentException.class);
        });
  }

  @Test
  void aProbeDistinguishesAMissingFeatureFromAFailure() throws Exception {
    open(
        device -> {
          assertThat(device.probe(2, FeatureAccess.GET | FeatureAccess.SET)).isTrue();
          assertThat(ByteBuffer.wrap(model.lastFeature).order(room(0).order()).getLong(0))
              .isEqualTo(8 | (2L | 7 << 16) << 32);
          for (Errno errno : new Errno[] {Errno.ENOTTY, Errno.EINVAL}) {
            model.refusals.put("ioctl 3b75", errno);
            assertThat(device.probe(2, FeatureAccess.GET)).as("%s", errno).isFalse();
          }
          model.refusals.put("ioctl 3b75", Errno.EIO);
          AccessException failure =
              catchThrowableOfType(AccessException.class, () -> device.probe(2, FeatureAccess.GET));
          assertThat(failure.errno()).isEqualTo(Errno.EIO.number());
        });
  }

  @Test
  void aResetIsAskedForWhateverTheFlagsSay() throws Exception {
    model.deviceFlags = 2;
    open(
        device -> {
          assertThat(device.deviceInfo().resettable()).isFalse();
          device.reset();
          model.refusals.put("ioctl 3b6f", Errno.EINVAL);
          AccessException failure = catchThrowableOfType(AccessException.class, device::reset);
          assertThat(failure.errno()).isEqualTo(Errno.EOPNOTSUPP.number());
          assertThat(failure)
              .hasMessage("the device has no reset: VFIO_DEVICE_RESET failed: EINVAL (22)");
          model.refusals.put("ioctl 3b6f", Errno.EIO);
          assertThatThrownBy(device::reset).hasMessage("VFIO_DEVICE_RESET failed: EIO (5)");
        });
  }

  @Test
  void mappedPartsAreUnmappedByTheClose() throws Exception {
    DirectArea[] kept = new DirectArea[1];
    open(
        device -> {
          RegionInfo info = device.regionInfo(VfioModel.REGION_INDEX);
          List<DirectArea> areas =
              device.directAreas(
                  info,
                  List.of(
                      new RegionPart(PAGE, 4L * PAGE),
                      new RegionPart(100, 100),
                      new RegionPart(8L * PAGE, PAGE)));
          assertThat(areas).hasSize(2);
          kept[0] = areas.get(0);
          kept[0].write(PAGE, content(0, 64));
          ByteBuffer back = room(64);
          kept[0].read(PAGE, back);
          assertThat(back.flip()).isEqualTo(content(0, 64));
          assertThat(mappings()).isEqualTo(2);
          RegionInfo fixed =
              new RegionInfo(9, true, false, true, info.size(), info.offset(), 0, room(32));
          assertThat(device.directAreas(fixed, List.of(new RegionPart(0, PAGE)))).isEmpty();
        });
    assertThat(mappings()).isZero();
    assertThatThrownBy(() -> kept[0].read(PAGE, room(1)))
        .isInstanceOf(AccessException.class)
        .hasMessageContaining("closed here");
  }

  private static long mappings() throws IOException {
    return Files.readString(Path.of("/proc/self/maps"))
        .lines()
        .filter(line -> line.contains("memfd:" + VfioModel.DEVICE))
        .count();
  }

  @Test
  void aClosedDeviceIsUnreachable() throws Exception {
    open(
        device -> {
          RegionInfo info = device.regionInfo(VfioModel.REGION_INDEX);
          device.close();
          device.close();
          AccessException failure =
              catchThrowableOfType(
                  AccessException.class,
                  () -> device.readRegion(VfioModel.REGION_INDEX, 0, room(4)));
          assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
          assertThatThrownBy(() -> device.probe(2, FeatureAccess.GET))
              .isInstanceOf(AccessException.class);
          assertThat(device.directAreas(info, List.of(new RegionPart(0, PAGE)))).isEmpty();
          assertThat(mappings()).isZero();
        });
  }

  @Test
  void anAdoptedDeviceIsItselfAndBringsNoCompanions() throws Exception {
    open(
        device -> {
          Descriptor duplicate = Duplicates.of(device.descriptor());
          try (KernelAccess adopted = KernelAccess.adopt(ID, duplicate)) {
            assertThat(adopted.deviceInfo()).isEqualTo(device.deviceInfo());
            assertThat(adopted.companions()).isEmpty();
            assertThat(adopted.addressSpace()).isEmpty();
          }
          assertThat(device.readRegion(VfioModel.REGION_INDEX, 0, room(4))).isEqualTo(4);
        });
  }
}
