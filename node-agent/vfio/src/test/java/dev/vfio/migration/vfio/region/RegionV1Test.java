package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.device.DeviceSteps.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** State of a device of the v1 region goes through its registers in the order of the text. */
class RegionV1Test {
  private static final DriverProfile DRIVER = new DriverProfile("vmig", "v1", Set.of(), "");
  private static final int SIZE = 4096;
  private static final byte[] STATE = new byte[40];

  static {
    for (int i = 0; i < STATE.length; i++) {
      STATE[i] = (byte) (i * 7 + 1);
    }
  }

  private final RegionV1Model model = new RegionV1Model(SIZE, 64).holding(STATE);
  private final RegionV1Model other = new RegionV1Model(SIZE, 128);

  private static RegionV1 source(RegionV1Model model) throws DeviceException {
    RegionV1 device = RegionV1.open(ID, model, DRIVER, SIZE, MigrationEnd.SOURCE, true);
    model.accesses();
    return device;
  }

  private static RegionV1 destination(RegionV1Model model) throws DeviceException {
    RegionV1 device = RegionV1.open(ID, model, DRIVER, SIZE, MigrationEnd.DESTINATION, false);
    model.accesses();
    return device;
  }

  private static void read(RegionV1 device, List<byte[]> into) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) device.maxChunkBytes());
    while (device.readState(chunk.clear()) > 0) {
      byte[] bytes = new byte[chunk.flip().remaining()];
      chunk.get(bytes);
      into.add(bytes);
    }
  }

  @Test
  void stateMovesWhileTheDeviceRunsAndTheRestWhileItStands() throws DeviceException {
    List<byte[]> chunks = new ArrayList<>();
    RegionV1 from = source(model);
    RegionV1 to = destination(other);
    lead(to, DeviceState.RESUME);

    lead(from, DeviceState.SETUP, DeviceState.PRECOPY);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(0, 24, 0));
    read(from, chunks);
    assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);
    lead(from, DeviceState.STOPNCOPY);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(0, 0, 16));
    read(from, chunks);
    assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);

    for (byte[] chunk : chunks) {
      write(to, chunk);
    }
    lead(to, DeviceState.RESUME_COMPLETED);
    lead(from, DeviceState.SAVE_COMPLETED);
    lead(to, DeviceState.RUNNING);

    assertThat(other.content()).isEqualTo(STATE);
    assertThat(other.register()).isEqualTo(1);
    assertThat(model.register()).isZero();
    assertThat(other.takenSizes()).containsExactly(16, 8, 16);
  }

  @Test
  void aChunkIsAnnouncedReadAndThenTaken() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    model.accesses();
    read(device, new ArrayList<>());
    assertThat(model.accesses())
        .containsExactly(
            "read 8/8, read 16/8, read 24/8, read 64/16, read 8/8, read 16/8, read 24/8, read 64/16, read 8/8, read 16/8, read 24/8, read 64/8, read 8/8"
                .split(", "));
  }

  @Test
  void askingForWhatIsPendingBetweenChunksLosesNone() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    List<byte[]> chunks = new ArrayList<>();
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) device.maxChunkBytes());
    long[] pending = {40, 24, 8};
    for (long left : pending) {
      assertThat(device.pending(0).total()).isEqualTo(left);
      assertThat(device.pending(0).total()).as("asked twice").isEqualTo(left);
      device.readState(chunk.clear());
      byte[] bytes = new byte[chunk.flip().remaining()];
      chunk.get(bytes);
      chunks.add(bytes);
    }
    assertThat(device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    assertThat(chunks).hasSize(3);
  }

  @Test
  void outsideOfSavingNothingIsPendingAndNothingIsAsked() throws DeviceException {
    RegionV1 device = source(model);
    assertThat(device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    lead(device, DeviceState.SETUP);
    model.accesses();
    assertThat(device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    assertThat(model.accesses()).isEmpty();
  }

  @Test
  void incomingStateGoesWhereTheDriverWantsItAndItsSizeCommits() throws DeviceException {
    RegionV1 device = destination(other);
    lead(device, DeviceState.RESUME);
    other.accesses();
    write(device, new byte[100]);
    assertThat(other.accesses()).containsExactly("read 16/8", "write 128/100", "write 24/8");
  }

  @Test
  void aChunkIsSplitOnlyWhereTheRegionForcesIt() throws DeviceException {
    RegionV1Model small = new RegionV1Model(160, 128);
    RegionV1 device = destination(small);
    lead(device, DeviceState.RESUME);
    write(device, new byte[32]);
    assertThat(small.takenSizes()).containsExactly(32);
    small.takenSizes().clear();
    write(device, new byte[70]);
    assertThat(small.takenSizes()).containsExactly(32, 32, 6);
  }

  @Test
  void dataGoesThroughTheMappedPartAndRegistersNever() throws DeviceException {
    RegionV1 from = source(model.mapped(64, SIZE - 64));
    lead(from, DeviceState.SETUP, DeviceState.STOPNCOPY);
    model.accesses();
    from.readState(ByteBuffer.allocateDirect(64));
    assertThat(model.accesses())
        .containsExactly("read 8/8", "read 16/8", "read 24/8", "mapped read 64/16");
    RegionV1 to = destination(other.mapped(128, 1024));
    lead(to, DeviceState.RESUME);
    other.accesses();
    write(to, new byte[8]);
    write(to, new byte[2000]);
    assertThat(other.accesses())
        .containsExactly(
            "read 16/8, mapped write 128/8, write 24/8, read 16/8, mapped write 128/1024, write 1152/976, write 24/8"
                .split(", "));
    assertThat(other.takenSizes()).as("chunks").containsExactly(8, 2000);
  }

  @Test
  void theDriverIsGivenAChunkOfSeveralPartsAsOneTransaction() throws DeviceException {
    RegionV1 device = destination(other);
    lead(device, DeviceState.RESUME);
    other.accesses();
    ByteBuffer whole = ByteBuffer.allocateDirect(250);
    device.writeState(whole.slice(0, 100), 150);
    device.writeState(whole.slice(100, 100), 50);
    device.writeState(whole.slice(200, 50), 0);
    assertThat(other.accesses())
        .containsExactly(
            "read 16/8", "write 128/100", "write 228/100", "write 328/50", "write 24/8");
    assertThat(other.takenSizes()).containsExactly(250);
  }

  @Test
  void aChunkOfSeveralPartsIsSplitWhereTheRegionForcesItToo() throws DeviceException {
    RegionV1Model small = new RegionV1Model(160, 128);
    RegionV1 device = destination(small);
    lead(device, DeviceState.RESUME);
    device.writeState(ByteBuffer.allocateDirect(40), 30);
    device.writeState(ByteBuffer.allocateDirect(30), 0);
    assertThat(small.takenSizes()).containsExactly(32, 32, 6);
  }

  @Test
  void aChunkOutsideTheDataIsAViolationAndNothingIsRead() throws DeviceException {
    long[][] wrong = {
      {0, 16}, {31, 1}, {SIZE, 1}, {64, SIZE - 63}, {-1, 16}, {64, -1}, {64, Long.MAX_VALUE}
    };
    for (long[] announced : wrong) {
      RegionV1Model driver =
          new RegionV1Model(SIZE, 64).holding(STATE).announcing(announced[0], announced[1]);
      RegionV1 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
      driver.accesses();
      ByteBuffer chunk = ByteBuffer.allocateDirect(SIZE);
      assertThat(failureOf(Kind.PROTOCOL_VIOLATION, () -> device.readState(chunk)))
          .hasMessageContainingAll("data_offset", "data_size");
      assertThat(chunk.position()).isZero();
      assertThat(driver.accesses()).containsExactly("read 8/8", "read 16/8", "read 24/8");
      lead(device, DeviceState.FAILED, DeviceState.RUNNING);
      assertThat(driver.content()).isEqualTo(STATE);
    }
  }

  @Test
  void anEmptyChunkIsNothingNowAndWhatIsPendingSaysWhetherItIsTheEnd() throws DeviceException {
    RegionV1 device = source(model.announcing(null, 0L));
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    assertThat(device.readState(ByteBuffer.allocateDirect(64))).isZero();
  }

  @Test
  void theDriverLearnsOnlyBehindTheLastPartThatItsChunkWasTaken() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    model.accesses();
    ByteBuffer small = ByteBuffer.allocateDirect(10);
    assertThat(device.readState(small.clear())).isEqualTo(10);
    assertThat(device.unread()).isEqualTo(6);
    assertThat(device.readState(small.clear())).isEqualTo(6);
    assertThat(device.unread()).isZero();
    assertThat(model.accesses())
        .containsExactly("read 8/8", "read 16/8", "read 24/8", "read 64/10", "read 74/6");
    assertThat(device.readState(ByteBuffer.allocateDirect(16))).isEqualTo(16);
    assertThat(model.accesses())
        .containsExactly("read 8/8", "read 16/8", "read 24/8", "read 64/16");
  }

  @Test
  void aBufferThatIsNotDirectOrHasNoRoomIsTheCallersFault() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    for (ByteBuffer wrong :
        new ByteBuffer[] {ByteBuffer.allocate(64), ByteBuffer.allocateDirect(0)}) {
      assertThatThrownBy(() -> device.readState(wrong))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(device.readState(ByteBuffer.allocateDirect(16))).isEqualTo(16);
  }

  @Test
  void aRegionThatShrankFallsShort() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    model.shrunkTo(70);
    ByteBuffer chunk = ByteBuffer.allocateDirect(64);
    assertThat(failureOf(Kind.READ_FAILED, () -> device.readState(chunk)))
        .hasMessageContaining("short read of data: 6 of 16 bytes");
    assertThat(chunk.position()).isZero();
    assertThat(chunk.limit()).isEqualTo(64);

    RegionV1 to = destination(other.shrunkTo(130));
    lead(to, DeviceState.RESUME);
    failureOf(Kind.WRITE_FAILED, () -> write(to, STATE));
    assertThat(other.takenSizes()).isEmpty();
  }

  @Test
  void aPlaceForIncomingStateOutsideTheDataIsAViolation() throws DeviceException {
    for (long place : new long[] {0, 31, SIZE, -1, Long.MAX_VALUE}) {
      RegionV1Model driver = new RegionV1Model(SIZE, 64).wantingDataAt(place);
      RegionV1 device = destination(driver);
      lead(device, DeviceState.RESUME);
      driver.accesses();
      assertThat(failureOf(Kind.PROTOCOL_VIOLATION, () -> write(device, STATE)))
          .hasMessageContaining("Nothing was written there");
      assertThat(driver.accesses()).containsExactly("read 16/8");
    }
  }

  @Test
  void aRefusedCommitKeepsThePositionBehindWhatWasTaken() throws DeviceException {
    RegionV1Model small = new RegionV1Model(160, 128);
    RegionV1 device = destination(small);
    lead(device, DeviceState.RESUME);
    small.failing("write 128/6", -1);
    ByteBuffer chunk = ByteBuffer.allocateDirect(70);
    DeviceException failure = failureOf(Kind.WRITE_FAILED, () -> device.writeState(chunk));
    assertThat(failure.errno()).isEqualTo(RegionV1Model.EIO);
    assertThat(chunk.position()).isEqualTo(64);
    assertThat(chunk.limit()).isEqualTo(70);
  }

  @Test
  void aResetInTheStopWindowIsNotTakenForTheEnd() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    device.readState(ByteBuffer.allocateDirect(64));
    model.in(1);
    assertThat(failureOf(Kind.READ_FAILED, () -> device.pending(0)))
        .hasMessageContainingAll("left stop-and-copy", "reset");
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
  }

  @Test
  void itKnowsNothingOfDirtyPagesAndCallsAllDirty() throws DeviceException {
    RegionV1 device = source(model);
    assertThat(device.description().dirtyPageTracking()).isFalse();
    List<String> runs = new ArrayList<>();
    failureOf(
        Kind.READ_FAILED,
        () -> device.dirtyPages(SIZE, 7, (iova, pages) -> runs.add(iova + "+" + pages)));
    assertThat(runs).containsExactly(SIZE + "+7");
    assertThatThrownBy(() -> device.dirtyPages(1, 7, (iova, pages) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
