package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.device.DeviceSteps.read;
import static dev.vfio.migration.vfio.device.DeviceSteps.write;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.destination;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.source;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.streamOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** State and sizes of a device of the v2 interface, as the machines of an agent ask for them. */
class FeatureV2Test {
  private final DriverModel model = DriverModel.ofAll().holding(STATE);
  private final ByteArrayOutputStream stream = new ByteArrayOutputStream();

  private static ByteBuffer chunk() {
    return ByteBuffer.allocateDirect(64);
  }

  @Test
  void stateMovesWhileTheDeviceRunsAndTheRestWhileItStands() throws DeviceException {
    DriverModel other = DriverModel.ofAll();
    FeatureV2 from = source(model);
    FeatureV2 to = destination(other);
    lead(to, DeviceState.RESUME);
    lead(from, DeviceState.SETUP, DeviceState.PRECOPY);
    read(from, stream);
    lead(from, DeviceState.STOPNCOPY);
    read(from, stream);
    assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);

    write(to, stream.toByteArray());
    lead(to, DeviceState.RESUME_COMPLETED);
    lead(from, DeviceState.SAVE_COMPLETED);
    lead(to, DeviceState.RUNNING);

    assertThat(other.content()).isEqualTo(STATE);
    assertThat(other.state()).isEqualTo("RUNNING");
    assertThat(model.state()).isEqualTo("STOP");
    assertThat(model.openFiles() + other.openFiles()).isZero();
    assertThat(model.trace())
        .containsExactly(
            "set PRE_COPY", "set PRE_COPY_P2P", "set STOP_COPY", "set STOP", "log stop");
    assertThat(other.trace())
        .containsExactly(
            "set RUNNING_P2P",
            "set STOP",
            "set RESUMING",
            "set STOP",
            "set RUNNING_P2P",
            "set RUNNING");
  }

  @Test
  void everyKindOfDriverMovesItsStateInTheStopWindow() throws DeviceException {
    for (int flags = DriverModel.STOP_COPY_FLAG; flags < 8; flags += 2) {
      DriverModel here = new DriverModel(flags).holding(STATE);
      DriverModel there = new DriverModel(flags);
      FeatureV2 from = source(here);
      FeatureV2 to = destination(there);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      lead(from, DeviceState.SETUP, DeviceState.STOPNCOPY);
      lead(to, DeviceState.RESUME);
      read(from, bytes);
      assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);
      write(to, bytes.toByteArray());
      lead(to, DeviceState.RESUME_COMPLETED, DeviceState.RUNNING);
      lead(from, DeviceState.SAVE_COMPLETED);
      assertThat(there.content()).as("flags %d", flags).isEqualTo(STATE);
      assertThat(here.openFiles() + there.openFiles()).isZero();
      assertThat(from.description().precopy()).isEqualTo((flags & DriverModel.PRE_COPY_FLAG) != 0);
    }
  }

  @Test
  void aDriverWithoutP2pIsNeverAskedForItsStates() throws DeviceException {
    DriverModel plain =
        new DriverModel(DriverModel.STOP_COPY_FLAG | DriverModel.PRE_COPY_FLAG).holding(STATE);
    FeatureV2 device = source(plain);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(plain.trace())
        .containsExactly("set PRE_COPY", "set STOP_COPY", "log stop", "set STOP", "set RUNNING");
  }

  @Test
  void aDriverWithoutPrecopyIsNotAskedForIt() throws DeviceException {
    DriverModel plain = new DriverModel(DriverModel.STOP_COPY_FLAG | DriverModel.P2P_FLAG);
    FeatureV2 device = source(plain);
    lead(device, DeviceState.SETUP);
    assertThat(failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.PRECOPY)))
        .hasMessageContainingAll("no way leads", "not asked");
    assertThat(plain.trace()).isEmpty();
    lead(device, DeviceState.STOPNCOPY);
  }

  @Test
  void initialBytesComeFirstAndNothingIsCountedTwice() throws DeviceException {
    FeatureV2 device = source(model);
    long whole = 4 + STATE.length;
    assertThat(device.pending(0)).isEqualTo(new PendingBytes(0, 0, whole));
    lead(device, DeviceState.SETUP);
    assertThat(device.pending(0)).isEqualTo(new PendingBytes(0, 0, whole));
    lead(device, DeviceState.PRECOPY);
    assertThat(device.pending(0)).isEqualTo(new PendingBytes(4, 0, STATE.length));
    read(device, stream);
    assertThat(device.pending(0)).isEqualTo(new PendingBytes(0, 0, whole));
  }

  @Test
  void whoDoesNotTellItsSizeIsTakenForAVeryLargeOneUntilTheEndIsSeen() throws DeviceException {
    model.refusing(9, DriverModel.ENOTTY);
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP);
    assertThat(device.pending(0).total()).isEqualTo(100L << 30);
    lead(device, DeviceState.PRECOPY);
    assertThat(device.pending(0).total()).isEqualTo(100L << 30);
    lead(device, DeviceState.STOPNCOPY);
    assertThat(device.pending(0).total()).isEqualTo(100L << 30);
    read(device, stream);
    assertThat(device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    assertThat(stream.toByteArray()).isEqualTo(streamOf(STATE));
  }

  @Test
  void whileItRunsNeitherWordForNothingNowIsTheEnd() throws DeviceException {
    for (boolean zero : List.of(false, true)) {
      DriverModel driver = DriverModel.ofAll().holding(STATE);
      if (zero) {
        driver.precopyEndsWithZero();
      }
      FeatureV2 device = source(driver);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
      read(device, bytes);
      ByteBuffer chunk = chunk();
      assertThat(device.readState(chunk)).isZero();
      assertThat(chunk.position()).isZero();
      assertThat(chunk.limit()).isEqualTo(chunk.capacity());
      assertThat(device.pending(0).total()).isPositive();
      lead(device, DeviceState.STOPNCOPY);
      read(device, bytes);
      assertThat(bytes.toByteArray()).isEqualTo(streamOf(STATE));
    }
  }

  @Test
  void aStoppedDeviceThatStallsIsNotTakenForDry() throws DeviceException {
    FeatureV2 device = source(model.stallingWhileStopped(true));
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    assertThat(device.readState(chunk())).isZero();
    assertThat(device.pending(0).total()).isPositive();
    model.stallingWhileStopped(false);
    read(device, stream);
    assertThat(device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    assertThat(stream.toByteArray()).isEqualTo(streamOf(STATE));
  }

  @Test
  void aSizeOfNothingIsNotTheEndEither() throws DeviceException {
    DriverModel lying = DriverModel.ofAll().holding(STATE).reportingSize(0);
    FeatureV2 device = source(lying);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    assertThat(device.pending(0).total()).isPositive();
  }

  @Test
  void readsFallShortWherePleased() throws DeviceException {
    FeatureV2 device = source(model.maxPerRead(3));
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    List<Integer> sizes = new ArrayList<>();
    ByteBuffer chunk = chunk();
    for (int size = device.readState(chunk); size > 0; size = device.readState(chunk.clear())) {
      sizes.add(size);
      chunk.flip();
      while (chunk.hasRemaining()) {
        stream.write(chunk.get());
      }
    }
    assertThat(sizes).startsWith(3, 3).endsWith(1);
    assertThat(stream.toByteArray()).isEqualTo(streamOf(STATE));
  }

  @Test
  void aReadTakesNoMoreThanItSays() throws DeviceException {
    FeatureV2 device = source(model.holding(new byte[3 << 20]));
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    ByteBuffer large = ByteBuffer.allocateDirect(4 << 20);
    assertThat(device.maxChunkBytes()).isEqualTo(1 << 20);
    assertThat(device.readState(large)).isEqualTo(1 << 20);
    assertThat(large.position()).isEqualTo(1 << 20);
    assertThat(large.limit()).isEqualTo(4 << 20);
  }

  @Test
  void aStreamThatAResetMadeStaleFailsAndTheDeviceRunsOn() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.resetByTheWorkload();
    ByteBuffer chunk = chunk();
    chunk.position(5);
    DeviceException failure = failureOf(Kind.READ_FAILED, () -> device.readState(chunk));
    assertThat(failure.errno()).isEqualTo(DriverModel.ENODEV);
    assertThat(failure).hasMessageContainingAll("ENODEV", "FAILED");
    assertThat(chunk.position()).isEqualTo(5);
    assertThat(chunk.limit()).isEqualTo(chunk.capacity());
    failureOf(Kind.READ_FAILED, () -> device.pending(0));

    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.state()).isEqualTo("RUNNING");
    assertThat(model.openFiles()).isZero();
  }

  @Test
  void aDeviceThatWasResetIsNotStoppedInTheMiddleOfAStream() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.resetByTheWorkload();
    assertThat(failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContainingAll("RUNNING", "reset");
    assertThat(model.state()).isEqualTo("RUNNING");
  }

  @Test
  void aRefusedPieceOfStateMakesTheRestWorthless() throws DeviceException {
    DriverModel other = DriverModel.ofAll();
    FeatureV2 to = destination(other);
    lead(to, DeviceState.RESUME);
    ByteBuffer bad = ByteBuffer.allocateDirect(3).put(new byte[] {1, (byte) 0xee, 2}).flip();
    DeviceException failure = failureOf(Kind.WRITE_FAILED, () -> to.writeState(bad));
    assertThat(failure.errno()).isEqualTo(DriverModel.ENOMEM);
    assertThat(failure).hasMessageContaining("must not run");

    assertThat(failureOf(Kind.TRANSITION_FAILED, () -> to.transition(DeviceState.RESUME_COMPLETED)))
        .hasMessageContainingAll("refused a part", "must not run before it is reset");
    assertThat(other.state()).isEqualTo("RESUMING");
  }

  @Test
  void withoutADataFileNothingIsReadOrWritten() throws DeviceException {
    FeatureV2 device = source(model);
    failureOf(Kind.READ_FAILED, () -> device.readState(chunk()));
    failureOf(Kind.WRITE_FAILED, () -> device.writeState(chunk()));
  }

  @Test
  void onlyDirectBuffersWithRoomReachTheDevice() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    assertThatThrownBy(() -> device.readState(ByteBuffer.allocate(8)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> device.readState(ByteBuffer.allocateDirect(0)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> device.writeState(ByteBuffer.allocate(8)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> device.pending(-1)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aLostDeviceIsUnreachableWhateverIsAsked() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.lost(Reason.UNREACHABLE, DriverModel.ENODEV);
    failureOf(Kind.UNREACHABLE, () -> device.readState(chunk()));
    failureOf(Kind.UNREACHABLE, () -> device.pending(0));
    failureOf(Kind.UNREACHABLE, () -> device.transition(DeviceState.STOPNCOPY));
    failureOf(Kind.UNREACHABLE, device::reset);
  }

  @Test
  void closingClosesTheDataFileAndLeavesTheStateAlone() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.trace();
    device.close();
    device.close();
    assertThat(model.openFiles()).isZero();
    assertThat(model.closed()).isTrue();
    assertThat(model.state()).isEqualTo("PRE_COPY");
    assertThat(model.trace()).isEmpty();
  }
}
