package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Drivers that read the text of 2018 in another way than most: whatever can be distinguished is
 * taken, and what a driver answers is looked at before anybody relies on it.
 */
class TextReadAnotherWayTest {
  private static final int SIZE = 4096;
  private static final long IOVA = 1L << 32;

  private final RecordingAccess access = new RecordingAccess(SIZE);

  private Region2018 open() throws DeviceException {
    Region2018 device = Region2018.open(ID, access, 4096);
    access.accesses();
    return device;
  }

  private Region2018 openIn(DeviceState state) throws DeviceException {
    access.state(state.wireValue());
    return open();
  }

  private static void isElsewhere(DeviceException failure, DeviceState wanted, String now) {
    assertThat(failure.kind()).isEqualTo(Kind.TRANSITION_FAILED);
    assertThat(failure)
        .hasMessageContainingAll(
            "the change to " + wanted + " with success", "says that it is in " + now);
  }

  private int read(Region2018 device) throws DeviceException {
    access.accesses();
    return device.readState(ByteBuffer.allocateDirect(SIZE));
  }

  // ---------------------------------------------------------------- where data lies

  @Test
  void aChunkThatIsStagedWhenItsSizeIsReadIsFound() throws DeviceException {
    for (long before : new long[] {0, 75, SIZE, -1}) {
      Region2018 device = open();
      access.answer(36, before, 128).answer(44, 1000);
      assertThat(read(device)).isEqualTo(1000);
      assertThat(access.accesses())
          .containsExactly("read 36/8", "read 44/8", "read 36/8", "read 128/1000");
      access.answer(36, 2048).answer(44, 500);
      assertThat(read(device)).isEqualTo(500);
      assertThat(access.accesses())
          .as("the offset of the chunk before would look right")
          .containsExactly("read 44/8", "read 36/8", "read 2048/500");
      access.answer(44, 0);
      assertThat(read(device)).isZero();
      assertThat(access.accesses()).containsExactly("read 44/8");
    }
  }

  @Test
  void aDriverThatStagedByItsOffsetBeforeIsReadInThatOrder() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 128, 0, 256, 512).answer(44, 1000, 1000, 1000);
    assertThat(read(device)).isEqualTo(1000);
    assertThat(read(device)).isEqualTo(1000);
    assertThat(read(device)).isEqualTo(1000);
    assertThat(access.accesses()).containsExactly("read 36/8", "read 44/8", "read 512/1000");
  }

  @Test
  void nothingNowIsAskedForOnceOnly() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 0).answer(44, 0);
    assertThat(read(device)).isZero();
    assertThat(access.accesses()).containsExactly("read 36/8", "read 44/8");
  }

  @Test
  void aBitmapThatIsPlacedWhenItsSizeIsReadIsFound() throws DeviceException {
    for (long size : new long[] {2, 8}) {
      List<String> runs = new ArrayList<>();
      Region2018 device = open();
      access.answer(68, 16).answer(36, 0, 100).answer(44, size);
      access.memory().put(100, (byte) 0b11).put(101, (byte) 0);
      assertThat(device.dirtyPages(IOVA, 16, (iova, pages) -> runs.add(iova + "+" + pages)))
          .isEqualTo(2);
      assertThat(runs).containsExactly(IOVA + "+2");
    }
  }

  @Test
  void aChunkThatWasStagedInsteadOfABitmapIsNotLost() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 16).answer(36, 0, 128).answer(44, 1000);
    assertThat(failureOf(() -> device.dirtyPages(IOVA, 16, (iova, pages) -> {})))
        .hasMessageContaining("reported dirty");
    assertThat(read(device)).isEqualTo(1000);
    assertThat(access.accesses()).containsExactly("read 128/1000");
  }

  @Test
  void aBitmapOfADriverThatStagesByItsOffsetIsNotAskedForTwice() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 128).answer(44, 1000);
    read(device);
    access.accesses();
    access.answer(68, 16).answer(36, 0);
    List<Long> dirty = new ArrayList<>();
    failureOf(() -> device.dirtyPages(IOVA, 16, (iova, pages) -> dirty.add(pages)));
    assertThat(dirty).as("all of it").containsExactly(16L);
    assertThat(access.accesses())
        .as("another read would stage a chunk")
        .containsExactly("write 52/8", "write 60/8", "read 68/8", "read 36/8");
  }

  /** It has read one chunk at 128, whose place was set when the size was read. */
  private Region2018 openedByASizeThatStages() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 0, 128).answer(44, 100);
    assertThat(read(device)).isEqualTo(100);
    access.accesses();
    return device;
  }

  private static List<String> dirty(Region2018 device) throws DeviceException {
    List<String> runs = new ArrayList<>();
    device.dirtyPages(IOVA, 16, (iova, pages) -> runs.add((iova - IOVA) / 4096 + "+" + pages));
    return runs;
  }

  @Test
  void aBitmapIsNotReadWhereTheChunkBeforeLay() throws DeviceException {
    Region2018 device = openedByASizeThatStages();
    access.memory().put(128, (byte) 0).put(129, (byte) 0).put(500, (byte) 0b100);
    access.answer(68, 16).answer(36, 128, 500).answer(44, 2);
    assertThat(dirty(device)).as("its place is set when its size is read").containsExactly("2+1");
  }

  @Test
  void aBitmapThatReplacesTheChunkBeforeIsTakenWithoutReadingTheSize() throws DeviceException {
    Region2018 device = openedByASizeThatStages();
    access.memory().put(128, (byte) 0b1111).put(129, (byte) 0);
    access.whenReading(68, () -> access.memory().put(128, (byte) 0b1)).answer(68, 16, 16);
    assertThat(dirty(device)).containsExactly("0+1");
    assertThat(dirty(device)).as("known from then on").containsExactly("0+1");
    assertThat(access.accesses()).as("that might stage a chunk").doesNotContain("read 44/8");
  }

  @Test
  void aChunkThatWasStagedWhereABitmapMayLieIsNotLost() throws DeviceException {
    Region2018 device = openedByASizeThatStages();
    access.answer(68, 16).answer(36, 128, 128).answer(44, 1000);
    failureOf(() -> dirty(device));
    assertThat(read(device)).isEqualTo(1000);
  }

  @Test
  void whatMayBeABitmapOrAChunkIsReadAsNeither() throws DeviceException {
    for (long size : new long[] {16, 4096, SIZE - 76}) {
      Region2018 device = openIn(DeviceState.PRECOPY);
      access.answer(68, 16).answer(36, 0, 80).answer(44, size);
      assertThat(failureOf(() -> dirty(device))).hasMessageContaining("reported dirty");
      failureOf(Kind.READ_FAILED, () -> read(device));
      device.transition(DeviceState.FAILED);
      device.transition(DeviceState.RUNNING);
      access.answer(36, 128).answer(44, 100);
      assertThat(read(device)).as("another attempt").isEqualTo(100);
    }
  }

  // ---------------------------------------------------------------- widths

  @Test
  void aDriverThatTakesHalvesOnlyIsReadInHalves() throws DeviceException {
    for (int field : new int[] {4, 12, 20, 36, 44, 68}) {
      access.fail("read " + field + "/8", Reason.REFUSED, 22);
    }
    access.fail("write 28/8", Reason.REFUSED, 22);
    Region2018 device = open();
    access.memory().putLong(4, 0x1_0000_0002L).putLong(12, 3).putLong(20, 4);
    assertThat(device.pending(77)).isEqualTo(new PendingBytes(0x1_0000_0002L, 3, 4));
    access.memory().putLong(36, 128).putLong(44, 1000);
    assertThat(read(device)).isEqualTo(1000);
    assertThat(access.accesses())
        .containsExactly("read 36/4", "read 40/4", "read 44/4", "read 48/4", "read 128/1000");
  }

  @Test
  void aRefusalThatIsNotAboutTheWidthStaysOne() throws DeviceException {
    Region2018 device = open();
    access.fail("read 36/8", Reason.REFUSED, 22).fail("read 36/4", Reason.REFUSED, 22);
    DeviceException failure = failureOf(Kind.READ_FAILED, () -> read(device));
    assertThat(failure.errno()).isEqualTo(22);
    access.heal().fail("read 36/8", Reason.REFUSED, 5);
    assertThat(failureOf(() -> read(device)).errno()).isEqualTo(5);
    assertThat(access.accesses()).containsExactly("read 36/8");
  }

  @Test
  void aSizeIsNeverWrittenInHalvesBecauseEachMightCommitTheChunk() throws DeviceException {
    Region2018 device = openIn(DeviceState.RESUME);
    access.fail("write 44/8", Reason.REFUSED, 22);
    failureOf(Kind.WRITE_FAILED, () -> device.writeState(ByteBuffer.allocateDirect(100)));
    assertThat(access.accesses()).containsExactly("write 76/100", "write 36/8", "write 44/8");
  }

  @Test
  void aDestinationThatTakesHalvesOnlyIsRefusedBeforeAnythingIsLoaded() throws DeviceException {
    access.fail("read 36/8", Reason.REFUSED, 22);
    Region2018 device = openIn(DeviceState.RUNNING);
    device.transition(DeviceState.RESUME);
    assertThat(access.accesses()).as("one that takes whole writes").contains("write 36/8");
    access.fail("write 36/8", Reason.REFUSED, 22);
    Region2018 other = openIn(DeviceState.RUNNING);
    assertThat(failureOf(Kind.WRITE_FAILED, () -> other.transition(DeviceState.RESUME)))
        .hasMessageContaining("4 bytes only");
  }

  // ---------------------------------------------------------------- the state

  @Test
  void aChangeThatWasTakenAndDidNotHappenNamesBothStates() throws DeviceException {
    DeviceState[][] changes = {
      {DeviceState.RUNNING, DeviceState.SETUP},
      {DeviceState.SETUP, DeviceState.PRECOPY},
      {DeviceState.PRECOPY, DeviceState.STOPNCOPY},
      {DeviceState.STOPNCOPY, DeviceState.SAVE_COMPLETED},
      {DeviceState.RUNNING, DeviceState.RESUME},
      {DeviceState.RESUME, DeviceState.RESUME_COMPLETED},
      {DeviceState.RESUME_COMPLETED, DeviceState.RUNNING},
      {DeviceState.FAILED, DeviceState.RUNNING},
      {DeviceState.CANCELLED, DeviceState.RUNNING}
    };
    for (DeviceState[] change : changes) {
      access.heal();
      Region2018 device = openIn(change[0]);
      access.takingNoState();
      isElsewhere(failureOf(() -> device.transition(change[1])), change[1], change[0].name());
      assertThat(device.state()).isEqualTo(change[0]);
      access.heal();
      device.transition(change[1]);
      assertThat(device.state()).isEqualTo(change[1]);
    }
  }

  @Test
  void aRollBackThatEndedElsewhereIsReported() throws DeviceException {
    Region2018 device = openIn(DeviceState.STOPNCOPY);
    access.takingNoState();
    device.transition(DeviceState.FAILED);
    isElsewhere(
        failureOf(() -> device.transition(DeviceState.RUNNING)), DeviceState.RUNNING, "STOPNCOPY");
    assertThat(device.state()).isEqualTo(DeviceState.FAILED);
  }

  @Test
  void aDriverThatIsAtItYetIsWaitedFor() throws DeviceException {
    Region2018 device = openIn(DeviceState.PRECOPY);
    access.takingNoState(3, 3, 3, 4);
    device.transition(DeviceState.STOPNCOPY);
    assertThat(device.state()).isEqualTo(DeviceState.STOPNCOPY);
  }

  @Test
  void aDriverThatPassesThroughOtherStatesIsWaitedFor() throws DeviceException {
    Region2018 device = openIn(DeviceState.RESUME_COMPLETED);
    access.takingNoState(7, 7, 0, 77, 1);
    device.transition(DeviceState.RUNNING);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aDeviceThatIsOnItsWayBackByItselfIsWaitedFor() throws DeviceException {
    Region2018 device = openIn(DeviceState.STOPNCOPY);
    device.transition(DeviceState.CANCELLED);
    access.fail("write 0/4", Reason.REFUSED, 22).takingNoState(9, 9, 4, 1);
    device.transition(DeviceState.RUNNING);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aStateThatIsNoneIsNotTheOneThatWasAskedFor() throws DeviceException {
    Region2018 device = openIn(DeviceState.PRECOPY);
    access.takingNoState(77);
    isElsewhere(
        failureOf(() -> device.transition(DeviceState.STOPNCOPY)),
        DeviceState.STOPNCOPY,
        "the state 77");
    access.state(3).takingNoState(8);
    isElsewhere(
        failureOf(() -> device.transition(DeviceState.STOPNCOPY)), DeviceState.STOPNCOPY, "FAILED");
    assertThat(device.state()).isEqualTo(DeviceState.FAILED);
  }

  @Test
  void aDriverThatDoesNotLetItsStateBeReadIsBelieved() throws DeviceException {
    access.fail("read 0/4", Reason.REFUSED, 22);
    Region2018 device = open();
    for (DeviceState state :
        new DeviceState[] {
          DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY, DeviceState.SAVE_COMPLETED
        }) {
      device.transition(state);
      assertThat(device.state()).isEqualTo(state);
    }
    access.heal().fail("read 0/4", Reason.REFUSED, 95);
    Region2018 other = open();
    other.transition(DeviceState.RESUME);
    assertThat(other.state()).isEqualTo(DeviceState.RESUME);
  }

  @Test
  void aDriverThatCannotTellWhereItIsThoughItCouldIsNot() throws DeviceException {
    Region2018 device = openIn(DeviceState.RUNNING);
    access.fail("read 0/4", Reason.REFUSED, 5);
    DeviceException failure =
        failureOf(Kind.READ_FAILED, () -> device.transition(DeviceState.SETUP));
    assertThat(failure.errno()).isEqualTo(5);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aLookThatFallsShortIsAReadThatFailed() throws DeviceException {
    Region2018 device = openIn(DeviceState.SETUP);
    int[] accesses = {0};
    access.transferring(width -> accesses[0]++ == 0 ? width : width / 2);
    assertThat(failureOf(Kind.READ_FAILED, () -> device.transition(DeviceState.PRECOPY)))
        .hasMessageContaining("short read of device_state: 2 of 4 bytes");
  }

  @Test
  void whatASaveHasSetUpMayBeCleanedUpToNone() throws DeviceException {
    Region2018 device = openIn(DeviceState.STOPNCOPY);
    access.takingNoState(0);
    device.transition(DeviceState.SAVE_COMPLETED);
    assertThat(device.state()).isEqualTo(DeviceState.SAVE_COMPLETED);
    Region2018 other = openIn(DeviceState.STOPNCOPY);
    access.takingNoState(1);
    isElsewhere(
        failureOf(() -> other.transition(DeviceState.SAVE_COMPLETED)),
        DeviceState.SAVE_COMPLETED,
        "RUNNING");
  }

  // ---------------------------------------------------------------- the region

  @Test
  void aRegionThatTheDriverDoesNotDescribeHidesNoOther() throws DeviceException {
    access
        .info(new DeviceInfo(true, false, 14))
        .region(10, RegionInfoBytes.plain(10, 64).type(1 << 30, 1).patch(12, 3).parse())
        .region(11, RegionInfoBytes.migration(11, 76).parse())
        .region(13, RegionInfoBytes.migration(13, 16384).parse());
    access.region(9, RegionInfoBytes.plain(9, 8192).parse());
    assertThat(Region2018.describe(ID, access, 4096).regionSize())
        .as("12 is refused, 10 malformed, 11 has no room")
        .isEqualTo(16384);
  }

  @Test
  void theFirstOfSeveralRegionsIsTaken() throws DeviceException {
    access
        .info(new DeviceInfo(true, false, 12))
        .region(9, RegionInfoBytes.plain(9, 8192).parse())
        .region(10, RegionInfoBytes.migration(10, 8192).parse())
        .region(11, RegionInfoBytes.migration(11, 16384).parse());
    assertThat(Region2018.describe(ID, access, 4096).regionSize()).isEqualTo(8192);
  }
}
