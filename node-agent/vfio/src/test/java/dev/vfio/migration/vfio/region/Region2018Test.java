package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Every action makes exactly the accesses of the interface, in its order and widths. */
class Region2018Test {
  private static final int SIZE = 4096;

  private final RecordingAccess access = new RecordingAccess(SIZE);

  private Region2018 open() throws DeviceException {
    Region2018 device = Region2018.open(ID, access, 4096);
    access.accesses();
    return device;
  }

  private static ByteBuffer chunk(int size) {
    ByteBuffer chunk = ByteBuffer.allocateDirect(size);
    for (int i = 0; i < size; i++) {
      chunk.put(i, (byte) (i * 31 + 7));
    }
    return chunk;
  }

  @Test
  void openingReadsTheStateAndNothingElse() throws DeviceException {
    access.state(DeviceState.PRECOPY.wireValue());
    Region2018 device = Region2018.open(ID, access, 4096);
    assertThat(access.accesses()).containsExactly("read 0/4");
    assertThat(device.state()).isEqualTo(DeviceState.PRECOPY);
    assertThat(device.stateKnown()).isTrue();
    assertThat(device.description().regionSize()).isEqualTo(SIZE);
    assertThat(device.maxChunkBytes()).isEqualTo(SIZE - 76);
  }

  @Test
  void aDeviceMayRefuseToTellItsStateAndThenJudgesTheFirstChangeItself() throws DeviceException {
    access.fail("read 0/4", Reason.REFUSED, 22);
    Region2018 device = open();
    assertThat(device.stateKnown()).isFalse();
    assertThat(device.state()).isEqualTo(DeviceState.NONE);

    device.transition(DeviceState.STOPNCOPY);
    assertThat(access.accesses()).containsExactly("write 0/4", "read 0/4");
    assertThat(device.stateKnown()).isTrue();
    assertThat(device.state()).isEqualTo(DeviceState.STOPNCOPY);
  }

  @Test
  void aStateThatTheInterfaceDoesNotKnowIsAViolationAndLetsGoOfTheDevice() {
    access.state(10);
    assertThat(failureOf(Kind.PROTOCOL_VIOLATION, () -> Region2018.open(ID, access, 4096)))
        .hasMessageContainingAll(ID, "no device state");
    assertThat(access.closed()).isTrue();
  }

  @Test
  void settingTheStateIsOneFourByteWriteAtZeroAndALook() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    device.transition(DeviceState.SETUP);
    device.transition(DeviceState.PRECOPY);
    assertThat(access.accesses())
        .as("and it is looked at")
        .containsExactly("write 0/4", "read 0/4", "write 0/4", "read 0/4");
    assertThat(access.memory().getInt(0)).isEqualTo(3);
    assertThat(device.state()).isEqualTo(DeviceState.PRECOPY);
  }

  @Test
  void aChangeThatTheInterfaceDoesNotAllowNeverReachesTheDevice() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    DeviceException failure =
        failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.SAVE_COMPLETED));
    assertThat(failure.errno()).isZero();
    assertThat(failure)
        .hasMessageContainingAll(
            "from RUNNING to SAVE_COMPLETED, only to [SETUP, RESUME, FAILED]",
            "The device was not asked");
    assertThat(access.accesses()).isEmpty();
  }

  @Test
  void aDeviceThatWentBackToRunningByItselfNeedNotBeSetToIt() throws DeviceException {
    for (DeviceState back : new DeviceState[] {DeviceState.CANCELLED, DeviceState.FAILED}) {
      access.heal().state(DeviceState.PRECOPY.wireValue());
      Region2018 device = open();
      device.transition(back);
      access.fail("write 0/4", Reason.REFUSED, 22);
      assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
          .as("it does not say that it runs")
          .hasMessageContaining("the change to RUNNING failed");
      assertThat(device.state()).isEqualTo(back);

      access.state(DeviceState.RUNNING.wireValue());
      device.transition(DeviceState.RUNNING);
      assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
    }
  }

  @Test
  void aDeviceThatIsStillAtItIsAskedAgain() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.busy("write 0/4", 2).busy("read 36/8", 1).answer(36, 100).answer(44, 4);
    device.transition(DeviceState.SETUP);
    device.transition(DeviceState.PRECOPY);
    assertThat(access.memory().getInt(0)).isEqualTo(DeviceState.PRECOPY.wireValue());
    access.accesses();
    assertThat(device.readState(ByteBuffer.allocateDirect(64))).isEqualTo(4);
    assertThat(access.accesses())
        .containsExactly("read 36/8", "read 36/8", "read 44/8", "read 100/4");
  }

  @Test
  void aDeviceThatIsAtItForEverIsGivenUp() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.fail("write 0/4", Reason.REFUSED, 11);
    assertThat(failureOf(() -> device.transition(DeviceState.SETUP)).errno()).isEqualTo(11);
  }

  @Test
  void aRefusedChangeKeepsTheStateBeforeAndCarriesTheErrno() throws DeviceException {
    access.state(DeviceState.PRECOPY.wireValue());
    Region2018 device = open();
    access.fail("write 0/4", Reason.REFUSED, 5);
    DeviceException failure =
        failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.STOPNCOPY));
    assertThat(failure.errno()).isEqualTo(5);
    assertThat(failure)
        .hasMessageContainingAll(ID, "state PRECOPY", "STOPNCOPY", "EIO (5)", "through FAILED");
    assertThat(device.state()).isEqualTo(DeviceState.PRECOPY);

    access.heal();
    device.transition(DeviceState.FAILED);
    device.transition(DeviceState.RUNNING);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aLoadedDeviceThatWasResetLostWhatItTookIn() throws DeviceException {
    Region2018 device = loaded();
    access.state(DeviceState.NONE.wireValue());
    for (int asked = 1; asked <= 2; asked++) {
      DeviceException failure = failureOf(() -> device.transition(DeviceState.RUNNING));
      assertThat(failure.kind()).as("asked %d times", asked).isEqualTo(Kind.STATE_LOST);
      assertThat(failure).hasMessageContainingAll("in NONE", "was reset");
    }
    assertThat(access.memory().getInt(0)).isEqualTo(DeviceState.NONE.wireValue());
  }

  @Test
  void aLoadedDeviceWhoseChangeToRunningFailedMayHaveBegunToRun() throws DeviceException {
    Region2018 device = loaded();
    access.fail("write 0/4", Reason.REFUSED, 5);
    failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.RUNNING));
    access.heal().state(DeviceState.RUNNING.wireValue());
    device.transition(DeviceState.RUNNING);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aDeviceThatDidNotTellThatItIsLoadedIsNotAskedAgain() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.fail("read 0/4", Reason.REFUSED, 22);
    device.transition(DeviceState.RESUME);
    device.transition(DeviceState.RESUME_COMPLETED);
    access.heal().state(DeviceState.NONE.wireValue());
    device.transition(DeviceState.RUNNING);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aLookAtALoadedDeviceFindsItAndChangesNothing() throws DeviceException {
    Region2018 device = loaded();
    access.accesses();
    device.requireLoaded();
    assertThat(access.accesses()).containsExactly("read 0/4");
    device.transition(DeviceState.RUNNING);
  }

  @Test
  void aLookAtALoadedDeviceThatWasResetFindsThatItLostWhatItTookIn() throws DeviceException {
    Region2018 device = loaded();
    access.state(DeviceState.NONE.wireValue());
    failureOf(Kind.STATE_LOST, device::requireLoaded);
    access.state(77);
    assertThat(failureOf(device::requireLoaded)).hasMessageContaining("the state 77");
  }

  @Test
  void aLookAtALoadedDeviceDistinguishesARefusalFromAnEnd() throws DeviceException {
    Region2018 device = loaded();
    access.fail("read 0/4", Reason.REFUSED, 16);
    DeviceException refused = failureOf(Kind.READ_FAILED, device::requireLoaded);
    assertThat(refused.errno()).isEqualTo(16);
    access.fail("read 0/4", Reason.UNREACHABLE, 32);
    failureOf(Kind.UNREACHABLE, device::requireLoaded);
    access.heal();
    device.requireLoaded();
  }

  @Test
  void aDeviceThatNeverReportsItsStateIsOnlyLookedAtForWhetherItAnswers() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.fail("read 0/4", Reason.REFUSED, 22);
    device.transition(DeviceState.RESUME);
    device.transition(DeviceState.RESUME_COMPLETED);
    device.requireLoaded();
    access.fail("read 0/4", Reason.UNREACHABLE, 32);
    failureOf(Kind.UNREACHABLE, device::requireLoaded);
  }

  private Region2018 loaded() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    device.transition(DeviceState.RESUME);
    device.transition(DeviceState.RESUME_COMPLETED);
    return device;
  }

  @Test
  void aLostDeviceIsUnreachableAndTheOutcomeIsSaidToBeUnknown() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.fail("write 0/4", Reason.UNREACHABLE, 104);
    assertThat(failureOf(Kind.UNREACHABLE, () -> device.transition(DeviceState.SETUP)))
        .hasMessageContaining("is not known");
  }

  @Test
  void pendingIsTheThresholdAndThenThreeReads() throws DeviceException {
    Region2018 device = open();
    access.answer(4, 10).answer(12, 20).answer(20, 30);
    assertThat(device.pending(777)).isEqualTo(new PendingBytes(10, 20, 30));
    assertThat(access.accesses())
        .containsExactly("write 28/8", "read 4/8", "read 12/8", "read 20/8");
    assertThat(access.memory().getLong(28)).isEqualTo(777);
  }

  @Test
  void pendingIsUnsignedAndSaturates() throws DeviceException {
    Region2018 device = open();
    access.answer(4, -1).answer(12, 1).answer(20, 0);
    assertThat(device.pending(0).total()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void aNegativeThresholdIsTheCallersMistake() throws DeviceException {
    Region2018 device = open();
    assertThatThrownBy(() -> device.pending(-1)).isInstanceOf(IllegalArgumentException.class);
    assertThat(access.accesses()).isEmpty();
  }

  @Test
  void readingStateIsOffsetSizeAndOneRead() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 128).answer(44, 1000);
    access.memory().put(128, chunk(1000), 0, 1000);
    ByteBuffer into = ByteBuffer.allocateDirect(1100).position(50);

    assertThat(device.readState(into)).isEqualTo(1000);
    assertThat(access.accesses()).containsExactly("read 36/8", "read 44/8", "read 128/1000");
    assertThat(into.position()).isEqualTo(1050);
    assertThat(into.limit()).isEqualTo(1100);
    assertThat(into.slice(50, 1000)).isEqualTo(chunk(1000));
  }

  @Test
  void readingStateInADirectAreaIsOneBulkCopyAndTheRegistersStayTrapped() throws DeviceException {
    access.direct(2048, 2048);
    Region2018 device = open();
    access.answer(36, 2048, 1024).answer(44, 2048, 1500);

    device.readState(ByteBuffer.allocateDirect(SIZE));
    assertThat(access.accesses())
        .containsExactly("read 36/8", "read 44/8", "direct read 2048/2048");
    // Of a chunk that lies only partly in the direct area the rest is read by trapped access.
    device.readState(ByteBuffer.allocateDirect(SIZE));
    assertThat(access.accesses())
        .containsExactly("read 36/8", "read 44/8", "read 1024/1024", "direct read 2048/476");
  }

  @Test
  void aChunkOverSeveralDirectAreasIsReadStretchByStretch() throws DeviceException {
    access.direct(1024, 256).direct(1280, 256).direct(3000, 1000);
    Region2018 device = open();
    access.memory().put(1000, chunkBytes(2100));
    access.answer(36, 1000).answer(44, 2100);
    ByteBuffer into = ByteBuffer.allocateDirect(SIZE);
    assertThat(device.readState(into)).isEqualTo(2100);
    assertThat(access.accesses())
        .containsExactly(
            "read 36/8, read 44/8, read 1000/24, direct read 1024/256, direct read 1280/256, read 1536/1464, direct read 3000/100"
                .split(", "));
    assertThat(into.slice(0, 2100)).isEqualTo(chunk(2100));
  }

  private static byte[] chunkBytes(int size) {
    byte[] bytes = new byte[size];
    chunk(size).get(bytes);
    return bytes;
  }

  @Test
  void ofARegionOfAnySizeOnlyABoundedPartIsMovedAtOnce() throws DeviceException {
    for (long size : new long[] {(64L << 20) + 4096, 8L << 30}) {
      RecordingAccess large =
          new RecordingAccess(SIZE)
              .region(
                  RecordingAccess.REGION,
                  RegionInfoBytes.migration(RecordingAccess.REGION, size).parse());
      Region2018 device = Region2018.open(ID, large, 4096);
      assertThat(device.description().regionSize()).isEqualTo(size);
      assertThat(device.maxChunkBytes()).isEqualTo(16 << 20);
    }
  }

  @Test
  void noDataNowIsZeroWhateverTheOffsetSays() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 3).answer(44, 0);
    ByteBuffer into = ByteBuffer.allocateDirect(16);
    assertThat(device.readState(into)).isZero();
    assertThat(into.position()).isZero();
    assertThat(access.accesses()).containsExactly("read 36/8", "read 44/8");
  }

  @Test
  void dataOutsideTheDataAreaIsAViolationAndIsNotRead() throws DeviceException {
    Region2018 device = open();
    long[][] outside = {
      {0, 8},
      {75, 8},
      {SIZE, 1},
      {SIZE + 1, 1},
      {-1, 8},
      {Long.MIN_VALUE, 8}, // data.offset
      {76, SIZE - 75},
      {4000, 97},
      {76, -1},
      {76, Long.MAX_VALUE} // data.size
    };
    for (long[] data : outside) {
      access.answer(36, data[0]).answer(44, data[1]);
      assertThat(
              failureOf(
                  Kind.PROTOCOL_VIOLATION,
                  () -> device.readState(ByteBuffer.allocateDirect(2 * SIZE))))
          .hasMessageContainingAll(
              Long.toUnsignedString(data[0]),
              Long.toUnsignedString(data[1]),
              "region of 4096 bytes",
              "through FAILED");
      assertThat(access.accesses())
          .as("it might have been set when the size was read")
          .containsExactly("read 36/8", "read 44/8", "read 36/8");
    }
  }

  @Test
  void theFirstAndTheLastByteOfTheDataAreaAreInside() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 76, SIZE - 1).answer(44, SIZE - 76, 1);
    assertThat(device.readState(ByteBuffer.allocateDirect(SIZE))).isEqualTo(SIZE - 76);
    assertThat(device.readState(ByteBuffer.allocateDirect(SIZE))).isEqualTo(1);
  }

  @Test
  void aChunkLargerThanTheBufferIsReadInPartsAndAskedForOnce() throws DeviceException {
    Region2018 device = open();
    access.memory().put(100, chunkBytes(250));
    access.answer(36, 100).answer(44, 250);
    ByteBuffer into = ByteBuffer.allocateDirect(100);
    ByteBuffer whole = ByteBuffer.allocateDirect(250);
    for (long left : new long[] {150, 50, 0}) {
      device.readState(into.clear());
      assertThat(device.unread()).isEqualTo(left);
      whole.put(into.flip());
    }
    assertThat(access.accesses())
        .containsExactly("read 36/8", "read 44/8", "read 100/100", "read 200/100", "read 300/50");
    assertThat(whole.flip()).isEqualTo(chunk(250));
    access.answer(36, 76).answer(44, 0);
    assertThat(device.readState(into.clear())).as("the next chunk").isZero();
  }

  @Test
  void aChangeOfStateAbandonsTheChunkThatWasBegun() throws DeviceException {
    access.state(DeviceState.STOPNCOPY.wireValue());
    Region2018 device = open();
    access.answer(36, 100).answer(44, 250);
    device.readState(ByteBuffer.allocateDirect(100));
    device.transition(DeviceState.FAILED);
    assertThat(device.unread()).isZero();
  }

  @Test
  void aPartThatFailsLosesItsChunk() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 100).answer(44, 250);
    device.readState(ByteBuffer.allocateDirect(100));
    access.fail("read 200/100", Reason.REFUSED, 5);
    ByteBuffer into = ByteBuffer.allocateDirect(100);
    failureOf(Kind.READ_FAILED, () -> device.readState(into));
    assertThat(into.position()).isZero();
    assertThat(device.unread()).isZero();
  }

  @Test
  void aBufferWithoutRoomIsTheCallersMistake() throws DeviceException {
    Region2018 device = open();
    assertThatThrownBy(() -> device.readState(ByteBuffer.allocateDirect(0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("offer 4020");
    assertThatThrownBy(() -> device.readState(ByteBuffer.allocate(SIZE)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("direct");
  }

  @Test
  void aShortAccessIsAnErrorWhereverItHappens() throws DeviceException {
    access.state(DeviceState.RUNNING.wireValue());
    Region2018 device = open();
    access.transferring(width -> width - 1);
    assertThat(failureOf(() -> device.transition(DeviceState.SETUP)))
        .hasMessageContaining("short write of device_state: 3 of 4 bytes")
        .extracting(DeviceException::kind)
        .isEqualTo(Kind.TRANSITION_FAILED);
    assertThat(failureOf(() -> device.pending(1)))
        .hasMessageContaining("short write of pending.threshold_size: 7 of 8 bytes")
        .extracting(DeviceException::kind)
        .isEqualTo(Kind.READ_FAILED);
    assertThat(failureOf(() -> device.readState(ByteBuffer.allocateDirect(SIZE))))
        .hasMessageContaining("short read of data.offset: 7 of 8 bytes")
        .extracting(DeviceException::kind)
        .isEqualTo(Kind.READ_FAILED);
    assertThat(failureOf(() -> device.writeState(chunk(100))))
        .hasMessageContaining("short write of data: 99 of 100 bytes")
        .extracting(DeviceException::kind)
        .isEqualTo(Kind.WRITE_FAILED);
  }

  @Test
  void aShortReadOfDataLosesTheChunkAndSaysSo() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 76).answer(44, 1000);
    access.transferring(width -> width > 8 ? 600 : width);
    ByteBuffer into = ByteBuffer.allocateDirect(SIZE).position(5);
    assertThat(failureOf(Kind.READ_FAILED, () -> device.readState(into)))
        .hasMessageContainingAll("short read of data: 600 of 1000 bytes", "is lost");
    assertThat(into.position()).isEqualTo(5);
    assertThat(into.limit()).isEqualTo(SIZE);
  }

  @Test
  void writingStateIsDataOffsetSizeInThatOrder() throws DeviceException {
    Region2018 device = open();
    ByteBuffer from = chunk(1000);
    device.writeState(from);
    assertThat(access.accesses()).containsExactly("write 76/1000", "write 36/8", "write 44/8");
    assertThat(access.memory().getLong(36)).isEqualTo(76);
    assertThat(access.memory().getLong(44)).isEqualTo(1000);
    assertThat(access.memory().slice(76, 1000)).isEqualTo(chunk(1000));
    assertThat(from.hasRemaining()).isFalse();
  }

  @Test
  void aChunkIsSplitOnlyWhereTheRegionIsSmaller() throws DeviceException {
    Region2018 device = open();
    ByteBuffer from = ByteBuffer.allocateDirect(2 * (SIZE - 76) + 10).position(5);
    from.limit(from.capacity() - 4);
    device.writeState(from);
    assertThat(access.accesses())
        .containsExactly(
            "write 76/4020, write 36/8, write 44/8, write 76/4020, write 36/8, write 44/8, write 76/1, write 36/8, write 44/8"
                .split(", "));
    device.writeState(ByteBuffer.allocateDirect(SIZE - 76));
    assertThat(access.accesses()).containsExactly("write 76/4020", "write 36/8", "write 44/8");
  }

  @Test
  void aChunkThatFitsTheDirectAreaGoesThereAndALargerOneAsFarAsItIsOne() throws DeviceException {
    access.direct(1024, 512).direct(2048, 2048);
    Region2018 device = open();
    device.writeState(chunk(2048));
    assertThat(access.accesses())
        .containsExactly("direct write 2048/2048", "write 36/8", "write 44/8");
    assertThat(access.memory().getLong(36)).isEqualTo(2048);
    device.writeState(chunk(2049));
    assertThat(access.accesses())
        .containsExactly(
            "write 76/948, direct write 1024/512, write 1536/512, direct write 2048/77, write 36/8, write 44/8"
                .split(", "));
    assertThat(access.memory().slice(76, 2049)).isEqualTo(chunk(2049));
    assertThat(access.memory().getLong(44)).as("one chunk").isEqualTo(2049);
  }

  @Test
  void theDeviceIsGivenAChunkOfSeveralPartsAsOne() throws DeviceException {
    access.direct(1024, 300).direct(2048, 200);
    Region2018 device = open();
    ByteBuffer whole = chunk(250);
    device.writeState(whole.slice(0, 100), 150);
    device.writeState(whole.slice(100, 100), 50);
    assertThat(access.accesses())
        .as("to an area that has room for all of it")
        .containsExactly("direct write 1024/100", "direct write 1124/100");
    device.writeState(whole.slice(200, 50), 0);
    assertThat(access.accesses())
        .containsExactly("direct write 1224/50", "write 36/8", "write 44/8");
    assertThat(access.memory().getLong(36)).isEqualTo(1024);
    assertThat(access.memory().getLong(44)).isEqualTo(250);
    assertThat(access.memory().slice(1024, 250)).isEqualTo(chunk(250));
  }

  @Test
  void aPartThatFailsLosesWhatCameOfItsChunk() throws DeviceException {
    Region2018 device = open();
    device.writeState(chunk(100), 100);
    access.fail("write 176/100", Reason.REFUSED, 5);
    ByteBuffer second = chunk(100);
    failureOf(Kind.WRITE_FAILED, () -> device.writeState(second, 0));
    assertThat(second.position()).as("the device was given none of it").isZero();
    access.heal().accesses();
    device.writeState(chunk(10), 0);
    assertThat(access.accesses()).containsExactly("write 76/10", "write 36/8", "write 44/8");
  }

  @Test
  void theRegistersAreNeverReachedThroughADirectArea() throws DeviceException {
    access.direct(0, SIZE);
    Region2018 device = open();
    device.writeState(chunk(100));
    access.answer(36, 76).answer(44, 100);
    device.readState(ByteBuffer.allocateDirect(SIZE));
    assertThat(access.accesses())
        .containsExactly(
            "write 76/100, write 36/8, write 44/8, read 36/8, read 44/8, direct read 76/100"
                .split(", "));
  }

  @Test
  void stateIsWrittenWhereTheDriverSaysInResumeThatItsDataLies() throws DeviceException {
    Region2018 device = open();
    access.answer(36, 1024);
    device.transition(DeviceState.RESUME);
    access.accesses();
    device.writeState(chunk(SIZE - 1024 + 1));
    assertThat(access.accesses())
        .containsExactly(
            "write 1024/3072, write 36/8, write 44/8, write 1024/1, write 36/8, write 44/8"
                .split(", "));
  }

  @Test
  void aDriverThatNamesNoUsablePlaceForDataGetsItBehindTheRegisters() throws DeviceException {
    for (long place : new long[] {0, 75, SIZE, -1}) {
      Region2018 device = open();
      access.answer(36, place);
      device.transition(DeviceState.RESUME);
      device.writeState(chunk(100));
      assertThat(access.accesses()).as("%d", place).contains("write 76/100");
      device.reset();
      access.accesses();
    }
    Region2018 device = open();
    access.fail("read 36/8", Reason.REFUSED, 22);
    device.transition(DeviceState.RESUME);
    device.writeState(chunk(100));
    assertThat(access.accesses()).contains("write 76/100");
  }

  @Test
  void aFailedWriteLeavesThePositionBehindWhatTheDeviceTook() throws DeviceException {
    Region2018 device = open();
    access.fail("write 76/10", Reason.REFUSED, 28);
    ByteBuffer from = ByteBuffer.allocateDirect(SIZE - 76 + 10);
    DeviceException failure = failureOf(Kind.WRITE_FAILED, () -> device.writeState(from));
    assertThat(failure.errno()).isEqualTo(28);
    assertThat(failure).hasMessageContainingAll("ENOSPC (28)", "must not run");
    assertThat(from.position()).isEqualTo(SIZE - 76);
    assertThat(from.limit()).isEqualTo(from.capacity());
  }

  @Test
  void aResetReadsTheStateBack() throws DeviceException {
    access.state(DeviceState.RESUME.wireValue());
    Region2018 device = open();
    device.reset();
    assertThat(access.accesses()).containsExactly("reset", "read 0/4");
    assertThat(device.state()).isEqualTo(DeviceState.NONE);
  }

  @Test
  void aRefusedResetSaysWhatIsLeftToDo() throws DeviceException {
    access.fail("reset", Reason.REFUSED, 95);
    Region2018 device = open();
    assertThat(failureOf(Kind.TRANSITION_FAILED, device::reset))
        .hasMessageContainingAll("EOPNOTSUPP (95)", "a person has to");
  }
}
