package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which pages of a source's windows are to be sent. */
class WindowCopyTest {
  private static final int PAGE = 4096;
  private static final List<WindowSpec> WINDOWS =
      List.of(new WindowSpec("logged", 0, 4 * PAGE), new WindowSpec("shared", 1 << 20, 8 * PAGE));

  private static WindowCopy copy(boolean tracking) {
    return new WindowCopy(WINDOWS, List.of(true, false), new NoMemory(), PAGE, tracking);
  }

  @Test
  void theFirstTimeEveryPageIsMarkedHoweverEarlyTheSwitchOverComes() throws Exception {
    for (boolean last : new boolean[] {false, true}) {
      for (boolean tracking : new boolean[] {false, true}) {
        WindowCopy copy = copy(tracking);
        copy.collect(new OnePageDirty(), last);
        assertThat(copy.remainingBytes()).isEqualTo(12L * PAGE);
      }
    }
  }

  /** What the processor wrote is in nobody's log. */
  @Test
  void aWindowThatOthersWriteToGoesWholeInTheLastRound() throws Exception {
    WindowCopy copy = copy(true);
    copy.collect(new OnePageDirty(), false);
    copy.copy(new Nowhere(), Long.MAX_VALUE, () -> false);
    assertThat(copy.collect(new OnePageDirty(), false)).isEqualTo(2);
    assertThat(copy.remainingBytes()).isEqualTo(2L * PAGE);
    assertThat(copy.pendingBytes()).as("known to be sent in the pause").isEqualTo(9L * PAGE);
    copy.copy(new Nowhere(), Long.MAX_VALUE, () -> false);
    copy.collect(new OnePageDirty(), true);
    assertThat(copy.remainingBytes()).isEqualTo(9L * PAGE);
  }

  @Test
  void aReportThatCannotBeUsedMeansThatAllIsDirtyAndIsNotTheEnd() throws Exception {
    for (DeviceException.Kind kind :
        new DeviceException.Kind[] {
          DeviceException.Kind.READ_FAILED, DeviceException.Kind.PROTOCOL_VIOLATION
        }) {
      WindowCopy copy = copy(true);
      copy.collect(new OnePageDirty(), false);
      copy.copy(new Nowhere(), Long.MAX_VALUE, () -> false);
      OnePageDirty lying =
          new OnePageDirty() {
            @Override
            public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
              into.run(iova, pages);
              throw new DeviceException(kind, 0, "its bitmap lies nowhere");
            }
          };
      copy.collect(lying, false);
      assertThat(copy.remainingBytes()).as("what it did not answer for").isPositive();
      copy.copy(new Nowhere(), Long.MAX_VALUE, () -> false);
      copy.collect(new OnePageDirty(), true);
      assertThat(copy.remainingBytes()).as("all, while it stands still").isEqualTo(12L * PAGE);
    }
  }

  @Test
  void whereTheDeviceCannotTellAllWindowsCountAsPending() throws Exception {
    WindowCopy copy = copy(false);
    copy.collect(new OnePageDirty(), false);
    copy.copy(new Nowhere(), Long.MAX_VALUE, () -> false);
    copy.collect(new OnePageDirty(), false);
    assertThat(copy.remainingBytes()).isZero();
    assertThat(copy.pendingBytes()).isEqualTo(12L * PAGE);
  }

  private static final class NoMemory implements WindowMemory.Mapped {
    @Override
    public void read(int window, long offset, ByteBuffer into) {
      into.position(into.limit());
    }

    @Override
    public void write(int window, long offset, ByteBuffer content) {
      throw new AssertionError("nothing is written here");
    }

    @Override
    public void close() {
      // Nothing is mapped.
    }
  }

  private static final class Nowhere implements StateSender {
    @Override
    public ChunkBuffer acquire() {
      ByteBuffer bytes = ByteBuffer.allocate(PAGE);
      return new ChunkBuffer() {
        @Override
        public ByteBuffer bytes() {
          return bytes;
        }

        @Override
        public void release() {
          throw new AssertionError("every buffer is sent");
        }
      };
    }

    @Override
    public void deviceState(ChunkBuffer part, long following) {
      throw new AssertionError("no device state is sent here");
    }

    @Override
    public void memory(ChunkBuffer chunk, int window, long offset) {
      assertThat(chunk.bytes().position()).isEqualTo(PAGE);
    }

    @Override
    public void paused(long pausedNanos) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void liftBandwidthLimit() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void end() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void awaitLoaded(Duration timeout) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long deviceStateBytes() {
      throw new UnsupportedOperationException();
    }

    @Override
    public long memoryBytes() {
      throw new UnsupportedOperationException();
    }

    @Override
    public long sentBytes() {
      return 0;
    }

    @Override
    public void close() {
      // Nothing is open.
    }
  }

  /** Marks the first page of each window each time. */
  private static class OnePageDirty implements MigratableDevice {
    @Override
    public void requireLoaded() {
      throw new UnsupportedOperationException();
    }

    @Override
    public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
      into.run(iova, 1);
      return 1;
    }

    @Override
    public DeviceDescription description() {
      throw new UnsupportedOperationException();
    }

    @Override
    public DeviceState state() {
      return DeviceState.PRECOPY;
    }

    @Override
    public boolean stateKnown() {
      return true;
    }

    @Override
    public void transition(DeviceState target) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void requireUnchanged() {
      throw new UnsupportedOperationException();
    }

    @Override
    public PendingBytes pending(long thresholdBytes) {
      return PendingBytes.NOTHING;
    }

    @Override
    public int readState(ByteBuffer chunk) {
      return 0;
    }

    @Override
    public void writeState(ByteBuffer part, long following) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long maxChunkBytes() {
      return PAGE;
    }

    @Override
    public void reset() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
