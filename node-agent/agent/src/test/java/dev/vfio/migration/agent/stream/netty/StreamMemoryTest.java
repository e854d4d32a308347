package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Failures;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.connections.ConnectionLimits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** No session begins that another one's memory would be needed for. */
@Timeout(120)
class StreamMemoryTest {
  private static final int MIB = 1 << 20;

  /** As much as the chart's agent has for its sessions, about. */
  private static final MemoryBudget USUAL = new MemoryBudget(230L * MIB);

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  private TwoNodes nodes(long atSource, long atDestination) throws IOException {
    return new TwoNodes(
        work,
        new ConnectionLimits(256, 128, Duration.ofSeconds(30)),
        new MemoryBudget(atSource),
        new MemoryBudget(atDestination));
  }

  private static Destination with(Destination to, int chunkBytes) {
    return new Destination(
        to.migration(), to.node(), to.host(), to.port(), to.token(), to.streams(), 0, chunkBytes);
  }

  private static void isNoCapacity(Throwable thrown) {
    assertThat(thrown)
        .isInstanceOfSatisfying(
            StreamException.class,
            why -> {
              assertThat(why.kind()).isEqualTo(Kind.NO_CAPACITY);
              assertThat(Failures.of(why).reason()).isEqualTo(Reason.NO_CAPACITY);
            });
  }

  @Test
  void sixteenStreamsOfLargeChunksAreRefusedBeforeAnybodyConnects() throws Exception {
    try (TwoNodes nodes = nodes(1L << 30, 230L * MIB)) {
      assertThatThrownBy(
              () ->
                  nodes.destination.reserve(
                      new Expected(TwoNodes.MIGRATION, TwoNodes.SOURCE, 16, 16 * MIB)))
          .satisfies(StreamMemoryTest::isNoCapacity)
          .hasMessage(
              "receiving migration "
                  + TwoNodes.MIGRATION
                  + " would take 528 MiB of direct memory for what is on its way, and 230 MiB of"
                  + " the 230 MiB for all sessions of this agent are free. Ask for fewer streams,"
                  + " wait until other migrations have ended, or give the agent more memory (the"
                  + " container's limit, or -XX:MaxDirectMemorySize in its Java options).");
    }
  }

  @Test
  void chunksThatTurnOutLargerAreRefusedToTheSourceAndHarmNothing() throws Exception {
    try (TwoNodes nodes = nodes(1L << 30, 230L * MIB);
        Awaited awaited = nodes.await(16, sink)) {
      Destination to = nodes.to(awaited, 16);
      assertThatThrownBy(() -> nodes.source.connect(with(to, 8 * MIB)))
          .satisfies(StreamMemoryTest::isNoCapacity)
          .hasMessageContaining("272 MiB")
          .hasMessageContaining("Ask for fewer streams");
      assertThat(sink.starts).hasValue(0);
      try (StateSender sender = nodes.source.connect(with(to, 4 * MIB))) {
        sender.end();
        sender.awaitLoaded(TwoNodes.TIMEOUT);
      }
    }
    assertThat(sink.completions).hasValue(1);
  }

  @Test
  void aSourceWithoutTheMemoryConnectsNothing() throws Exception {
    try (TwoNodes nodes = nodes(20L * MIB, 1L << 30);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(16, sink)) {
      Destination to = with(nodes.through(relay, awaited, 16), 2 * MIB);
      assertThatThrownBy(() -> nodes.source.connect(to))
          .satisfies(StreamMemoryTest::isNoCapacity)
          .hasMessageContaining("sending migration " + TwoNodes.MIGRATION)
          .hasMessageContaining("48 MiB")
          .hasMessageContaining("20 MiB of the 20 MiB");
      assertThat(relay.accepted()).isZero();
    }
  }

  /** Also while its sink hangs in a device: the buffers are in use until it returns. */
  @Test
  void whatASessionHoldsIsFreeOnlyOnceItsLastBufferCameBack() throws Exception {
    MemoryBudget budget = new MemoryBudget(60L * MIB);
    CountDownLatch inDevice = new CountDownLatch(1);
    CountDownLatch mayReturn = new CountDownLatch(1);
    RecordingSink hanging =
        new RecordingSink() {
          @Override
          public void deviceState(ByteBuffer chunk) throws IOException {
            inDevice.countDown();
            EndlessSending.awaitUninterruptibly(mayReturn);
            super.deviceState(chunk);
          }
        };
    try (TwoNodes nodes =
        new TwoNodes(
            work,
            new ConnectionLimits(256, 128, Duration.ofSeconds(30)),
            MemoryBudget.ofThisProcess(),
            budget)) {
      Expected expected = new Expected(TwoNodes.MIGRATION, TwoNodes.SOURCE, 1, 8 * MIB);
      StateStreams.Room room = nodes.destination.reserve(expected);
      Awaited awaited = nodes.destination.await(expected, hanging);
      assertThat(budget.reserved()).isEqualTo(33L * MIB);
      StateSender sender = nodes.source.connect(with(nodes.to(awaited, 1), 8 * MIB));
      TwoNodes.sendState(sender, new byte[10]);
      assertThat(inDevice.await(60, TimeUnit.SECONDS)).isTrue();
      sender.close();
      awaited.close();
      room.close();
      room.close();
      assertThatThrownBy(
              () -> nodes.destination.reserve(new Expected("other/1", "node-c", 1, 8 * MIB)))
          .satisfies(StreamMemoryTest::isNoCapacity)
          .hasMessageContaining("27 MiB of the 60 MiB");
      mayReturn.countDown();
      await().atMost(TwoNodes.TIMEOUT).until(() -> budget.reserved() == 0);
      nodes.destination.reserve(new Expected("other/1", "node-c", 1, 8 * MIB)).close();
      assertThat(budget.reserved()).isZero();
    }
  }

  @Test
  void aSenderGivesItsMemoryBackOnceItIsClosed() throws Exception {
    MemoryBudget budget = new MemoryBudget(100L * MIB);
    try (TwoNodes nodes =
            new TwoNodes(
                work,
                new ConnectionLimits(256, 128, Duration.ofSeconds(30)),
                budget,
                MemoryBudget.ofThisProcess());
        Awaited awaited = nodes.await(2, sink)) {
      StateSender sender = nodes.connect(awaited, 2);
      long need = 16L * TwoNodes.CHUNK + 2L * MIB;
      assertThat(budget.reserved()).isEqualTo(need);
      ChunkBuffer held = sender.acquire();
      sender.close();
      assertThat(budget.reserved()).isEqualTo(need);
      held.release();
      await().atMost(TwoNodes.TIMEOUT).until(() -> budget.reserved() == 0);
    }
  }

  /** Whatever a device hands out, the usual agent has room for one migration of most streams. */
  @ParameterizedTest
  @CsvSource({"1,16777216", "4,16777216", "16,16777216", "16,1", "16,67108864"})
  void whatASourceAnnouncesFitsTheUsualAgent(int streams, long deviceChunk) throws Exception {
    int chunk = StreamSettings.chunkBytes(deviceChunk, streams);
    assertThat(chunk).isBetween(MIB, 32 * MIB);
    StateStreams.Room room =
        new Receptions(StreamSettings.defaults(), USUAL)
            .reserve(new Expected("any/1", "node-a", streams, chunk));
    room.close();
    assertThat(USUAL.reserved()).isZero();
  }
}
