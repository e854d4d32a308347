package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Who takes less than it is given has not taken it, whether it fails or not. */
class IncomingStateTest {
  private final List<DestinationEvent> events = new ArrayList<>();
  private final IncomingState incoming =
      new IncomingState(
          "m/1",
          new HalfTaking(),
          List.of(new WindowSpec("ring", 0, 4096)),
          new HalfKeeping(),
          null,
          null,
          events::add);

  @Test
  void aDriverThatTakesHalfOfAChunkIsFoundOut() {
    assertThatThrownBy(() -> incoming.deviceState(ByteBuffer.allocateDirect(100), 0))
        .isInstanceOfSatisfying(
            DeviceException.class,
            why -> assertThat(why.kind()).isEqualTo(DeviceException.Kind.WRITE_FAILED))
        .hasMessageContaining("took 50 of 100 bytes");
    assertThat(incoming.deviceStateBytes()).as("nothing counts as taken").isZero();
    assertThat(((DestinationEvent.StreamBroke) events.get(0)).failure().reason())
        .isEqualTo(Reason.DEVICE_WRITE_FAILED);
  }

  @Test
  void aWindowThatTakesHalfOfItsContentIsFoundOut() {
    assertThatThrownBy(() -> incoming.memory(0, 1024, ByteBuffer.allocateDirect(100)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("took 50 of 100 bytes");
    assertThat(incoming.memoryBytes()).isZero();
    Failure said = ((DestinationEvent.StreamBroke) events.get(0)).failure();
    assertThat(said.reason()).isEqualTo(Reason.MEMORY_UNREACHABLE);
    assertThat(said.message()).contains("ring", "1024", "took 50 of 100 bytes");
  }

  private static void half(ByteBuffer from) {
    from.position(from.position() + from.remaining() / 2);
  }

  private static final class HalfKeeping implements WindowMemory.Mapped {
    @Override
    public void read(int window, long offset, ByteBuffer into) {
      throw new AssertionError("nothing is read here");
    }

    @Override
    public void write(int window, long offset, ByteBuffer content) {
      half(content);
    }

    @Override
    public void close() {
      // Nothing is mapped.
    }
  }

  private static final class HalfTaking implements MigratableDevice {
    @Override
    public void writeState(ByteBuffer part, long following) {
      half(part);
    }

    @Override
    public DeviceDescription description() {
      throw notAsked();
    }

    @Override
    public DeviceState state() {
      return DeviceState.RESUME;
    }

    @Override
    public void transition(DeviceState target) {
      throw notAsked();
    }

    @Override
    public void requireLoaded() {
      throw notAsked();
    }

    @Override
    public void requireUnchanged() {
      throw notAsked();
    }

    @Override
    public PendingBytes pending(long thresholdBytes) {
      throw notAsked();
    }

    @Override
    public int readState(ByteBuffer chunk) {
      throw notAsked();
    }

    @Override
    public long maxChunkBytes() {
      throw notAsked();
    }

    @Override
    public long dirtyPages(long iova, long pages, DirtyPages into) {
      throw notAsked();
    }

    @Override
    public void reset() {
      throw notAsked();
    }

    @Override
    public void close() {
      // Nothing is open.
    }

    private static AssertionError notAsked() {
      return new AssertionError("an incoming only writes");
    }
  }
}
