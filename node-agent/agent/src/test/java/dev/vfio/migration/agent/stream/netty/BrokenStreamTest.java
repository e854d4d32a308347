package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** However a stream ends early, both ends know, once, and nobody waits for ever. */
@Timeout(120)
class BrokenStreamTest {
  /** A process that is kept from running for half of it is still not taken for dead. */
  private static final Duration BUSY_IDLE = Duration.ofSeconds(4);

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink().window(0, 64 * TwoNodes.CHUNK);

  private static StreamSettings givesUpSoon() {
    return TwoNodes.quick().withResume(Duration.ofMillis(500), Duration.ofMillis(500));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void connectionsThatAreResetForGoodAreNoticedOnBothEnds(int streams) throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, givesUpSoon());
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(streams, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, streams))) {
      CompletableFuture<Void> sending = EndlessSending.by(sender);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length > 0);
      relay.cutForGood();
      assertThat(EndlessSending.failureOf(sending).kind()).isEqualTo(Kind.BROKEN);
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).kind())
          .isEqualTo(Kind.BROKEN);
      assertThatThrownBy(() -> sender.paused(1)).isInstanceOf(StreamException.class);
      assertThatThrownBy(sender::end).isInstanceOf(StreamException.class);
    }
    assertThat(sink.breaks).hasValue(1);
    assertThat(sink.completions).hasValue(0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aDeadPeerIsNoticedByItsSilence(boolean whileSending) throws Exception {
    StreamSettings watchful =
        givesUpSoon().withIdleAndClose(Duration.ofMillis(1500), Duration.ofSeconds(1));
    try (TwoNodes nodes = new TwoNodes(work, watchful);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(2, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 2))) {
      CompletableFuture<Void> sending = new CompletableFuture<>();
      if (whileSending) {
        sending = EndlessSending.by(sender);
        await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length > 0);
      }
      relay.silence();
      StreamException atDestination =
          sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      assertThat(atDestination.kind()).isEqualTo(Kind.BROKEN);
      assertThat(atDestination.getMessage()).contains("nothing was heard for 1500 ms");
      if (whileSending) {
        assertThat(EndlessSending.failureOf(sending).getMessage())
            .contains("nothing was heard for 1500 ms");
      } else {
        await()
            .atMost(TwoNodes.TIMEOUT)
            .untilAsserted(
                () ->
                    assertThatThrownBy(() -> sender.paused(0))
                        .hasMessageContaining("nothing was heard for 1500 ms"));
      }
    }
    assertThat(sink.breaks).hasValue(1);
  }

  @Test
  void aLongQuietPeerThatLivesIsNotTakenForDead() throws Exception {
    StreamSettings watchful =
        StreamSettings.defaults().withIdleAndClose(BUSY_IDLE, Duration.ofSeconds(1));
    try (TwoNodes nodes = new TwoNodes(work, watchful);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      TwoNodes.sendState(sender, new byte[10]);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length == 10);
      long there = relay.readsToDestination();
      long back = relay.readsToSource();
      // A PING goes out after half an idle time: three of them last longer than one idle time.
      await()
          .atMost(TwoNodes.TIMEOUT)
          .until(
              () -> relay.readsToDestination() >= there + 3 && relay.readsToSource() >= back + 3);
      TwoNodes.sendState(sender, new byte[10]);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      assertThat(sink.deviceStateBytes()).hasSize(20);
    }
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aDestinationThatLoadsForLongIsWaitedFor() throws Exception {
    StreamSettings watchful =
        StreamSettings.defaults().withIdleAndClose(BUSY_IDLE, Duration.ofSeconds(1));
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
    try (TwoNodes nodes = new TwoNodes(work, watchful);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(2, slow);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 2))) {
      sender.end();
      assertThat(loading.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
      long back = relay.readsToSource();
      await().atMost(TwoNodes.TIMEOUT).until(() -> relay.readsToSource() >= back + 6);
      assertThatThrownBy(() -> sender.awaitLoaded(Duration.ofMillis(1)))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.BROKEN))
          .hasMessageContaining("did not say within 1 ms")
          .hasMessageContaining("it may hold it or not");
      mayLoad.countDown();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(slow.breaks).hasValue(0);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void whatTheSinkThrowsReachesTheSource(int streams) throws Exception {
    RecordingSink failing =
        new RecordingSink() {
          @Override
          public void deviceState(ByteBuffer chunk) throws IOException {
            throw new IOException("node-b, device gpu-0: set buffer failed: ENOSPC (28)");
          }
        };
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.patient());
        Awaited awaited = nodes.await(streams, failing);
        StateSender sender = nodes.connect(awaited, streams)) {
      StreamException why = EndlessSending.failureOf(EndlessSending.by(sender));
      assertThat(why.kind()).isEqualTo(Kind.REFUSED);
      assertThat(why.getMessage())
          .contains("to node node-b (127.0.0.1:")
          .contains("set buffer failed: ENOSPC (28)");
      StreamException atDestination =
          failing.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      assertThat(atDestination.getMessage()).contains("ENOSPC");
      assertThat(atDestination.getCause()).isInstanceOf(IOException.class);
    }
    assertThat(failing.breaks).hasValue(1);
  }

  /** Such as that there is no memory left for it: the source must not wait for what never comes. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void anErrorInTheSinkReachesTheSourceAndTheSink(int streams) throws Exception {
    RecordingSink failing =
        new RecordingSink() {
          @Override
          public void deviceState(ByteBuffer chunk) {
            throw new OutOfMemoryError("Cannot reserve direct buffer memory");
          }
        };
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(streams, failing);
        StateSender sender = nodes.connect(awaited, streams)) {
      TwoNodes.sendState(sender, new byte[100]);
      await()
          .atMost(TwoNodes.TIMEOUT)
          .untilAsserted(
              () ->
                  assertThatThrownBy(sender::end)
                      .isInstanceOf(StreamException.class)
                      .hasMessageContaining("Cannot reserve direct buffer memory"));
      assertThat(failing.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS))
          .hasMessageContaining("Cannot reserve direct buffer memory");
    }
  }

  @Test
  void theSourceGetsTheFailureOfASinkThatCannotComplete() throws Exception {
    RecordingSink failing =
        new RecordingSink() {
          @Override
          public void complete() throws IOException {
            throw new IOException("RESUME_COMPLETED was refused: EINVAL (22)");
          }
        };
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.patient());
        Awaited awaited = nodes.await(2, failing);
        StateSender sender = nodes.connect(awaited, 2)) {
      sender.end();
      assertThatThrownBy(() -> sender.awaitLoaded(TwoNodes.TIMEOUT))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.REFUSED))
          .hasMessageContaining("RESUME_COMPLETED was refused");
      assertThat(failing.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS))
          .hasMessageContaining("EINVAL");
    }
    assertThat(failing.breaks).hasValue(1);
  }

  @Test
  void aDestinationThatLoadedSomethingElseIsNotBelieved() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Void> played =
          CompletableFuture.runAsync(
              () -> {
                try (RawPeer raw = RawPeer.accept(nodes.destinationTls, listener)) {
                  raw.readGreeting();
                  raw.greet(new Greeting.Welcome(1, 60_000));
                  raw.beginFrames(0);
                  raw.readFrame(ByteBuffer.allocate(EndMark.BYTES));
                  raw.write(raw.frame(FrameType.LOADED, 0, 0, new byte[32]));
                  raw.awaitEnd();
                } catch (IOException | GeneralSecurityException trouble) {
                  throw new IllegalStateException(trouble);
                }
              });
      Destination destination =
          new Destination(
              TwoNodes.MIGRATION,
              TwoNodes.DESTINATION,
              "127.0.0.1",
              listener.getLocalPort(),
              new byte[32],
              1,
              0,
              TwoNodes.CHUNK);
      try (StateSender sender = nodes.source.connect(destination)) {
        sender.end();
        assertThatThrownBy(() -> sender.awaitLoaded(TwoNodes.TIMEOUT))
            .isInstanceOfSatisfying(
                StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
            .hasMessageContaining("its digest is not that of what was sent");
      }
      played.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }
  }

  @Test
  void oneStreamThatFailsToConnectTakesTheOthersWithIt() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(2, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.welcomed(RawPeer.hello(awaited, 1, 2));
      assertThatThrownBy(() -> nodes.connect(awaited, 2))
          .hasMessageContaining("stream 1 of migration")
          .hasMessageContaining("its token was used for stream 1 before");
      // Where stream 0 had not been let in yet there is only stream 1 to break.
      raw.close();
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).getMessage())
          .containsPattern("stream [01] of migration");
    }
    assertThat(sink.breaks).hasValue(1);
  }

  @Test
  void aSourceThatDiesAfterItsEndMarksHasGivenEverything() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch mayLoad = new CountDownLatch(1);
    CountDownLatch done = new CountDownLatch(1);
    RecordingSink slow =
        new RecordingSink() {
          @Override
          public void complete() throws IOException {
            loading.countDown();
            EndlessSending.awaitUninterruptibly(mayLoad);
            super.complete();
            done.countDown();
          }
        };
    try (TwoNodes nodes = new TwoNodes(work, givesUpSoon());
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(2, slow);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 2))) {
      sender.end();
      assertThat(loading.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
      relay.cutForGood();
      assertThatThrownBy(() -> sender.awaitLoaded(TwoNodes.TIMEOUT))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.BROKEN));
      mayLoad.countDown();
      assertThat(done.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }
    assertThat(slow.completions).hasValue(1);
    assertThat(slow.breaks).as("the destination holds it, and says so when asked").hasValue(0);
  }
}
