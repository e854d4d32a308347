package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A connection that is lost is made again, and nothing is lost or taken twice. */
@Timeout(180)
class ResumedStreamTest {
  private static final int WINDOW = 8 * TwoNodes.CHUNK;

  /** Long enough for a machine that is busy with other things, and for nothing to end by itself. */
  private static final StreamSettings PATIENT =
      TwoNodes.quick().withResume(Duration.ofSeconds(60), Duration.ofSeconds(60));

  @TempDir Path work;

  /** Sends all kinds of frames, before and after the workload was paused, and says what it sent. */
  private static byte[] sendAll(StateSender sender, byte[] window) throws Exception {
    ByteBuffer state = ByteBuffer.allocate(3 * TwoNodes.CHUNK + 17);
    new Random(state.capacity()).nextBytes(state.array());
    new Random(window.length).nextBytes(window);
    send(sender, state, TwoNodes.CHUNK);
    send(sender, state, 17);
    // The first half twice, the first time with other content: the later one is to stay.
    byte[] older = new byte[TwoNodes.CHUNK];
    TwoNodes.sendMemory(sender, 0, 0, ByteBuffer.wrap(older));
    for (int at = 0; at < window.length; at += TwoNodes.CHUNK) {
      TwoNodes.sendMemory(sender, 0, at, ByteBuffer.wrap(window, at, TwoNodes.CHUNK));
    }
    sender.liftBandwidthLimit();
    sender.paused(1000);
    send(sender, state, TwoNodes.CHUNK);
    send(sender, state, TwoNodes.CHUNK);
    sender.end();
    return state.array();
  }

  private static void send(StateSender sender, ByteBuffer state, int length) throws Exception {
    byte[] chunk = new byte[length];
    state.get(chunk);
    TwoNodes.sendState(sender, chunk);
  }

  private static void assertAllCame(RecordingSink sink, byte[] state, byte[] window) {
    assertThat(sink.deviceStateBytes()).isEqualTo(state);
    assertThat(sink.windowBytes(0)).isEqualTo(window);
    assertThat(sink.order())
        .containsExactly(
            "device state " + TwoNodes.CHUNK,
            "device state 17",
            "paused 1000",
            "device state " + TwoNodes.CHUNK,
            "device state " + TwoNodes.CHUNK);
    assertThat(sink.starts).hasValue(1);
    assertThat(sink.completions).hasValue(1);
    assertThat(sink.breaks).hasValue(0);
  }

  /**
   * A frame's header is a TLS record of its own where a payload follows, and its payload is
   * several: so before each record and amid each record is before, after and amid each frame.
   */
  @ParameterizedTest
  @EnumSource(RecordRelay.Way.class)
  void aCutBeforeAndAmidEachRecordLosesNothingAndDoublesNothing(RecordRelay.Way way)
      throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT)) {
      int cuts = 0;
      int record = 0;
      boolean cut = true;
      while (cut) {
        for (boolean amid : new boolean[] {false, true}) {
          cut = cutAt(nodes, way, record, amid);
          cuts += cut ? 1 : 0;
        }
        record++;
      }
      // At least half of the frames that way; how many are told as taken depends on the speed.
      assertThat(cuts).isGreaterThan(way == RecordRelay.Way.TO_DESTINATION ? 15 : 2);
    }
  }

  private boolean cutAt(TwoNodes nodes, RecordRelay.Way way, int record, boolean amid)
      throws Exception {
    RecordingSink sink = new RecordingSink().window(0, WINDOW);
    byte[] window = new byte[WINDOW];
    try (RecordRelay relay = new RecordRelay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay.port(), awaited, 1))) {
      relay.cutAt(way, record, amid);
      byte[] state = sendAll(sender, window);
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      assertAllCame(sink, state, window);
      assertThat(sender.sentBytes()).isEqualTo(state.length + window.length + TwoNodes.CHUNK);
      return relay.cuts() > 0;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void streamsThatAreCutAgainAndAgainGoOn(int streams) throws Exception {
    RecordingSink sink = new RecordingSink().window(0, WINDOW);
    byte[] window = new byte[WINDOW];
    int rounds = 40;
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(streams, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, streams))) {
      for (int round = 0; round < rounds; round++) {
        if (round % 4 == 1) {
          relay.dropNext(streams);
          relay.cut();
        }
        new Random(round).nextBytes(window);
        for (int at = 0; at < window.length; at += TwoNodes.CHUNK) {
          TwoNodes.sendMemory(sender, 0, at, ByteBuffer.wrap(window, at, TwoNodes.CHUNK));
        }
      }
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      log.awaitMatch(
          "stream 0 of migration .* to node node-b .*: connected again after \\d+ ms \\(try"
              + " \\d+\\), the workload runs; from frame \\d+ on \\d+ frames with \\d+ bytes were"
              + " sent again\\. It had been lost: .*");
      log.awaitMatch("stream 0 of .*: the source has connected it again.*; frame \\d+ is next.*");
    }
    assertThat(sink.windowBytes(0)).isEqualTo(window);
    assertThat(sink.completions).hasValue(1);
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aCutWhileTheDestinationLoadsIsMendedAndTheSourceHearsThatItLoaded() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch mayLoad = new CountDownLatch(1);
    RecordingSink slow =
        new RecordingSink() {
          @Override
          public void complete() throws IOException {
            loading.countDown();
            EndlessSending.awaitUninterruptibly(mayLoad);
            super.complete();
          }
        };
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(2, slow);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 2))) {
      sender.end();
      EndlessSending.awaitUninterruptibly(loading);
      relay.dropNext(6);
      relay.cut();
      mayLoad.countDown();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(slow.completions).hasValue(1);
    assertThat(slow.breaks).hasValue(0);
  }

  @Test
  void whatCannotBeConnectedAgainWithinTheLimitFailsAsIfItHadNeverBeenTried() throws Exception {
    RecordingSink sink = new RecordingSink();
    StreamSettings settings =
        TwoNodes.quick().withResume(Duration.ofMillis(700), Duration.ofSeconds(60));
    try (TwoNodes nodes = new TwoNodes(work, settings);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      CompletableFuture<Void> sending = EndlessSending.by(sender);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length > 0);
      relay.cutForGood();
      StreamException atSource = EndlessSending.failureOf(sending);
      assertThat(atSource.kind()).isEqualTo(Kind.BROKEN);
      assertThat(atSource.getMessage()).contains("could not be connected again within 700 ms");
      StreamException atDestination =
          sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      assertThat(atDestination.kind()).isEqualTo(Kind.BROKEN);
      assertThat(atDestination.getMessage()).contains("did not connect it again within PT1.4S");
    }
    assertThat(sink.breaks).hasValue(1);
  }

  @Test
  void inThePauseAnotherLimitHolds() throws Exception {
    StreamSettings settings =
        TwoNodes.quick().withResume(Duration.ofSeconds(60), Duration.ofMillis(300));
    try (TwoNodes nodes = new TwoNodes(work, settings);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, new RecordingSink());
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      // The pause begins while the connection is lost.
      relay.cutForGood();
      sender.liftBandwidthLimit();
      await()
          .atMost(TwoNodes.TIMEOUT)
          .untilAsserted(
              () ->
                  assertThatThrownBy(() -> sender.paused(0))
                      .hasMessageContaining("could not be connected again within 300 ms"));
    }
  }

  /** Such as one that was started anew, or whose session was discarded. */
  @Test
  void aDestinationThatDoesNotKnowTheStreamEndsItAtOnce() throws Exception {
    RecordingSink sink = new RecordingSink();
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port())) {
      Awaited awaited = nodes.await(1, sink);
      try (StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
        relay.dropNext(3);
        relay.cut();
        awaited.close();
        StreamException why = EndlessSending.failureOf(EndlessSending.by(sender));
        assertThat(why.kind()).isEqualTo(Kind.BROKEN);
        assertThat(why.getMessage())
            .contains("when it was connected again")
            .contains("no destination of this agent awaits migration");
      }
    }
  }

  @Test
  void aDestinationWhoseProcessIsGoneEndsItAtOnce() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, new RecordingSink());
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      relay.close();
      StreamException why = EndlessSending.failureOf(EndlessSending.by(sender));
      assertThat(why.kind()).isEqualTo(Kind.BROKEN);
      assertThat(why.getMessage()).contains("when it was connected again").contains("refused");
    }
  }

  /** Nobody waits out a limit for a source that was told to stop. */
  @Test
  void aSourceThatClosesIsNotWaitedFor() throws Exception {
    RecordingSink sink = new RecordingSink();
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.connect(awaited, 1)) {
      TwoNodes.sendState(sender, new byte[100]);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length > 0);
      sender.close();
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).getMessage())
          .contains("the source closed the connection before its end mark");
    }
  }

  /** Neither what is sent meanwhile grows beyond the window, nor what is sent again. */
  @Test
  void whatIsNotTakenYetIsBoundedAcrossCuts() throws Exception {
    CountDownLatch mayTake = new CountDownLatch(1);
    RecordingSink slow =
        new RecordingSink() {
          @Override
          void deviceState(ByteBuffer chunk) throws IOException {
            EndlessSending.awaitUninterruptibly(mayTake);
            super.deviceState(chunk);
          }
        };
    int most = PATIENT.sendWindowFor(TwoNodes.CHUNK);
    AtomicInteger sent = new AtomicInteger();
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, slow);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      CompletableFuture<Void> sending =
          CompletableFuture.runAsync(() -> sendChunks(sender, 3 * most, sent));
      for (int cut = 1; cut <= 3; cut++) {
        await().atMost(TwoNodes.TIMEOUT).until(() -> sent.get() == most);
        int before = relay.accepted();
        relay.cut();
        await().atMost(TwoNodes.TIMEOUT).until(() -> relay.accepted() > before);
      }
      assertThat(sent).hasValue(most);
      mayTake.countDown();
      sending.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(slow.chunkLengths()).hasSize(3 * most).containsOnly(TwoNodes.CHUNK);
  }

  private static void sendChunks(StateSender sender, int count, AtomicInteger sent) {
    try {
      for (int number = 0; number < count; number++) {
        TwoNodes.sendState(sender, new byte[TwoNodes.CHUNK]);
        sent.incrementAndGet();
      }
    } catch (StreamException | InterruptedException failed) {
      throw new IllegalStateException(failed);
    }
  }
}
