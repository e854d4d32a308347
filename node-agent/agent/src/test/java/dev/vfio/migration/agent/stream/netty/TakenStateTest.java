package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** "Loaded" is said of what device and memory have taken, not of what came off the network. */
@Timeout(120)
class TakenStateTest {
  @TempDir Path work;

  /** What is given to the device is no more what came: a place of the ring was used twice. */
  private static final class ScribblingSink extends RecordingSink {
    private final int which;
    private int chunks;

    ScribblingSink(int which) {
      this.which = which;
    }

    @Override
    void deviceState(ByteBuffer chunk) throws IOException {
      if (++chunks == which) {
        chunk.put(chunk.limit() - 1, (byte) (chunk.get(chunk.limit() - 1) ^ 1));
      }
      super.deviceState(chunk);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aChunkThatTheDeviceGotOtherwiseThanItCameIsNoticedBeforeLoadedIsSaid(int which)
      throws Exception {
    RecordingSink sink = new ScribblingSink(which);
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.connect(awaited, 1)) {
      for (int chunk = 0; chunk < 3; chunk++) {
        TwoNodes.sendState(sender, new byte[1000]);
      }
      sender.end();
      assertRefused(sender, sink, "3 chunks with 3000 bytes of device state and 0 bytes of memory");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void memoryThatWasWrittenOtherwiseThanItCameIsNoticed(int streams) throws Exception {
    RecordingSink sink =
        new RecordingSink() {
          @Override
          public void memory(int window, long offset, ByteBuffer content) throws IOException {
            if (offset == TwoNodes.CHUNK) {
              content.put(0, (byte) 7);
            }
            super.memory(window, offset, content);
          }
        }.window(0, 3 * TwoNodes.CHUNK);
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(streams, sink);
        StateSender sender = nodes.connect(awaited, streams)) {
      for (int block = 0; block < 3; block++) {
        TwoNodes.sendMemory(
            sender, 0, (long) block * TwoNodes.CHUNK, ByteBuffer.allocate(TwoNodes.CHUNK));
      }
      sender.end();
      assertRefused(sender, sink, "bytes of memory");
    }
  }

  private static void assertRefused(StateSender sender, RecordingSink sink, String counted)
      throws Exception {
    assertThatThrownBy(() -> sender.awaitLoaded(TwoNodes.TIMEOUT))
        .isInstanceOfSatisfying(
            StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
        .hasMessageContaining("device and memory have taken")
        .hasMessageContaining(counted)
        .hasMessageContaining("is not what was sent");
    assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).kind())
        .isEqualTo(Kind.CORRUPT);
    assertThat(sink.completions).hasValue(0);
  }

  /** A frame may have 64 MiB, so 65 of them have more bytes than 32 bits count. */
  @Test
  void whatIsCountedMayBeLargerThan32Bits() throws Exception {
    Tally came = new Tally();
    Tally taken = new Tally();
    for (int frame = 0; frame < 65; frame++) {
      for (FrameType type : new FrameType[] {FrameType.DEVICE_STATE, FrameType.MEMORY}) {
        FrameHeader header = new FrameHeader(type, 0, frame, 64 << 20, 0, 0, 1);
        came.add(header, 1);
        taken.add(header, 1);
      }
    }
    Tally.Total total = taken.total();
    assertThat(total.deviceStateBytes()).isEqualTo(65L * (64 << 20));
    assertThat(total.memoryBytes()).isEqualTo(65L * (64 << 20));
    total.requireEqual(came.total());
  }

  /** Nothing of a chunk's payload shows that it is there twice, or not at all. */
  @Test
  void emptyChunksAreCountedAndTheirOrderMatters() {
    Tally.Total one = tally(0, 5).total();
    for (Tally other : new Tally[] {tally(5, 0), tally(5), tally(0, 0, 5), tally(0, 4)}) {
      assertThatThrownBy(() -> other.total().requireEqual(one)).isInstanceOf(StreamException.class);
    }
  }

  private static Tally tally(int... lengths) {
    Tally tally = new Tally();
    for (int length : lengths) {
      tally.add(new FrameHeader(FrameType.DEVICE_STATE, 0, 0, length, 0, 0, 0), 0);
      tally.add(new FrameHeader(FrameType.PING, 0, 0, 0, 0, 0, 0), 0);
    }
    return tally;
  }
}
