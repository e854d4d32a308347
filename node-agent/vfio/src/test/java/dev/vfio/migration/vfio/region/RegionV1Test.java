package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A device of the v1 region goes through a migration as the machines of an agent lead it. */
class RegionV1Test {
  private static final String ID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
  private static final DriverProfile DRIVER = new DriverProfile("vmig", "v1", Set.of(), "");
  private static final byte[] STATE = new byte[40];

  static {
    for (int i = 0; i < STATE.length; i++) {
      STATE[i] = (byte) (i * 7 + 1);
    }
  }

  private final RegionV1Model source = new RegionV1Model(4096, 64).holding(STATE);
  private final RegionV1Model destination = new RegionV1Model(4096, 128);

  private static RegionV1 open(RegionV1Model model, MigrationEnd end) throws DeviceException {
    RegionV1 device = RegionV1.open(ID, model, DRIVER, 4096, end, end == MigrationEnd.SOURCE);
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

  private static void write(RegionV1 device, byte[] bytes) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    device.writeState(chunk);
    assertThat(chunk.hasRemaining()).isFalse();
  }

  @Test
  void stateMovesWhileTheDeviceRunsAndTheRestWhileItStands() throws DeviceException {
    List<byte[]> chunks = new ArrayList<>();
    RegionV1 from = open(source, MigrationEnd.SOURCE);
    RegionV1 to = open(destination, MigrationEnd.DESTINATION);
    to.transition(DeviceState.RESUME);

    from.transition(DeviceState.SETUP);
    from.transition(DeviceState.PRECOPY);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(0, 24, 0));
    read(from, chunks);
    assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);
    from.transition(DeviceState.STOPNCOPY);
    assertThat(from.pending(0)).isEqualTo(new PendingBytes(0, 0, 16));
    read(from, chunks);
    assertThat(from.pending(0)).isEqualTo(PendingBytes.NOTHING);

    for (byte[] chunk : chunks) {
      write(to, chunk);
    }
    to.transition(DeviceState.RESUME_COMPLETED);
    from.transition(DeviceState.SAVE_COMPLETED);
    to.transition(DeviceState.RUNNING);

    assertThat(destination.content()).isEqualTo(STATE);
    assertThat(destination.register()).isEqualTo(1);
    assertThat(source.register()).isZero();
    assertThat(destination.takenSizes()).containsExactly(16, 8, 16);
  }
}
