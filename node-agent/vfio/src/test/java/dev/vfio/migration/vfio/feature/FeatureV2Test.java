package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A device of the v2 interface goes through a migration as the machines of an agent lead it. */
class FeatureV2Test {
  private static final String ID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
  private static final DriverProfile DRIVER = new DriverProfile("mtty", "mtty-1", Set.of(), "");
  private static final byte[] STATE = "what the device knows".getBytes(StandardCharsets.US_ASCII);

  private final DriverModel source = DriverModel.ofAll().holding(STATE);
  private final DriverModel destination = DriverModel.ofAll();

  private static FeatureV2 open(DriverModel model, MigrationEnd end) throws DeviceException {
    return FeatureV2.open(ID, model, DRIVER, 4096, end, end == MigrationEnd.SOURCE);
  }

  /** As an agent's last loop does: until there is nothing now and nothing pending. */
  private static void readAll(FeatureV2 device, ByteArrayOutputStream into) throws DeviceException {
    for (int tries = 0; tries < 100; tries++) {
      read(device, into);
      if (device.pending(0).total() == 0) {
        return;
      }
    }
    throw new AssertionError("never dry");
  }

  private static void read(FeatureV2 device, ByteArrayOutputStream into) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) device.maxChunkBytes());
    while (device.readState(chunk.clear()) > 0) {
      chunk.flip();
      while (chunk.hasRemaining()) {
        into.write(chunk.get());
      }
    }
  }

  private static void write(FeatureV2 device, byte[] bytes) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    device.writeState(chunk);
    assertThat(chunk.hasRemaining()).isFalse();
  }

  @Test
  void stateMovesWhileTheDeviceRunsAndTheRestWhileItStands() throws DeviceException {
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    FeatureV2 from = open(source, MigrationEnd.SOURCE);
    FeatureV2 to = open(destination, MigrationEnd.DESTINATION);
    to.transition(DeviceState.RESUME);

    from.transition(DeviceState.SETUP);
    from.transition(DeviceState.PRECOPY);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(4, 0, STATE.length));
    read(from, stream);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(0, 0, 4 + STATE.length));
    from.transition(DeviceState.STOPNCOPY);
    assertThat(from.pending(0).total()).isPositive();
    readAll(from, stream);

    write(to, stream.toByteArray());
    to.transition(DeviceState.RESUME_COMPLETED);
    from.transition(DeviceState.SAVE_COMPLETED);
    to.transition(DeviceState.RUNNING);

    assertThat(destination.content()).isEqualTo(STATE);
    assertThat(destination.state()).isEqualTo("RUNNING");
    assertThat(source.state()).isEqualTo("STOP");
    assertThat(source.openFiles() + destination.openFiles()).isZero();
    assertThat(source.trace())
        .containsExactly(
            "set PRE_COPY", "set PRE_COPY_P2P", "set STOP_COPY", "set STOP", "log stop");
    assertThat(destination.trace())
        .containsExactly(
            "set RUNNING_P2P",
            "set STOP",
            "set RESUMING",
            "set STOP",
            "set RUNNING_P2P",
            "set RUNNING");
  }
}
