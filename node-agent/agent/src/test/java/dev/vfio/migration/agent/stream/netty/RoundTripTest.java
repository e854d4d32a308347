package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What was sent arrives, whole and in order, over real TLS. */
@Timeout(120)
class RoundTripTest {
  @TempDir Path work;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void everythingArrivesOverAnyNumberOfStreams(int streams) throws Exception {
    Random random = new Random(streams);
    int windowBytes = 5 * TwoNodes.CHUNK + 4096;
    byte[] window = new byte[windowBytes];
    ByteArrayOutputStream state = new ByteArrayOutputStream();
    List<Integer> lengths = new ArrayList<>();
    RecordingSink sink = new RecordingSink().window(0, windowBytes).window(7, windowBytes);
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(streams, sink);
        StateSender sender = nodes.connect(awaited, streams)) {
      for (int round = 0; round < 200; round++) {
        byte[] chunk = new byte[random.nextInt(TwoNodes.CHUNK + 1)];
        random.nextBytes(chunk);
        state.write(chunk);
        lengths.add(chunk.length);
        TwoNodes.sendState(sender, chunk);

        int length = 1 + random.nextInt(TwoNodes.CHUNK);
        int offset = random.nextInt(windowBytes - length + 1);
        random.nextBytes(chunk);
        byte[] content = new byte[length];
        random.nextBytes(content);
        System.arraycopy(content, 0, window, offset, length);
        TwoNodes.sendMemory(sender, 7, offset, ByteBuffer.wrap(content));
      }
      sender.paused(123_456_789L);
      TwoNodes.sendState(sender, new byte[] {42});
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);

      assertThat(sink.starts).hasValue(1);
      assertThat(sink.completions).hasValue(1);
      assertThat(sink.breaks).hasValue(0);
      state.write(42);
      lengths.add(1);
      assertThat(sink.deviceStateBytes()).isEqualTo(state.toByteArray());
      assertThat(sink.chunkLengths()).isEqualTo(lengths);
      assertThat(sink.order()).endsWith("paused 123456789", "device state 1");
      assertThat(sink.windowBytes(7)).isEqualTo(window);
      assertThat(sink.windowBytes(0)).containsOnly(0);
    }
    assertThat(sink.breaks).as("closing after the end breaks nothing").hasValue(0);
  }

  @Test
  void aChunkThatIsSentInPartsArrivesAsOne() throws Exception {
    RecordingSink sink = new RecordingSink();
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.connect(awaited, 1)) {
      sendPart(sender, 1, 1005);
      sendPart(sender, 1000, 5);
      sendPart(sender, 5, 0);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(sink.order())
        .containsExactly(
            "part, 1005 follow",
            "device state 1",
            "part, 5 follow",
            "device state 1000",
            "device state 5");
  }

  private static void sendPart(StateSender sender, int size, long following) throws Exception {
    ChunkBuffer part = sender.acquire();
    part.bytes().put(new byte[size]);
    sender.deviceState(part, following);
  }
}
