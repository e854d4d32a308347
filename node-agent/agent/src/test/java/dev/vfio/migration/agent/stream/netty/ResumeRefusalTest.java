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
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import dev.vfio.migration.connections.certificates.NodeNames;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Nobody but the source that began a stream goes on with it, over one connection at a time. */
@Timeout(120)
class ResumeRefusalTest {
  private static final StreamSettings PATIENT =
      TwoNodes.quick().withResume(Duration.ofSeconds(60), Duration.ofSeconds(60));

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  private static Resume resume(int stream, byte[] token, byte[] key) {
    return new Resume(2, 2, stream, 60_000, TwoNodes.MIGRATION, token, key);
  }

  private static byte[] changed(byte[] secret) {
    byte[] other = secret.clone();
    other[other.length - 1] ^= 1;
    return other;
  }

  @Test
  void wrongSecretsAndCertificatesAreRefusedAndHarmNothing() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Awaited awaited = nodes.await(2, sink);
        RawPeer first = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      first.greet(RawPeer.resumableHello(awaited, 0, 2));
      Welcome welcome = (Welcome) first.readGreeting();
      assertThat(welcome.version()).isEqualTo(2);
      assertThat(welcome.next()).isZero();
      byte[] token = awaited.token();
      byte[] key = welcome.key();
      Path again = nodes.authority.issue(work.resolve("again"), NodeNames.of(TwoNodes.SOURCE));
      Path other = nodes.authority.issue(work.resolve("other"), NodeNames.of("node-c"));
      assertRefused(nodes, nodes.sourceTls, resume(0, changed(token), key), "the token is not");
      assertRefused(nodes, nodes.sourceTls, resume(0, token, changed(key)), "the key is not");
      assertRefused(nodes, nodes.sourceTls, resume(1, token, key), "was never connected");
      assertRefused(nodes, nodes.sourceTls, resume(-1, token, key), "was never connected");
      assertRefused(nodes, again, resume(0, token, key), "begun with another certificate");
      assertRefused(nodes, other, resume(0, token, key), "node-c");
      first.beginFrames(new OutgoingFrames(2, 0));
      first.write(first.deviceState(new byte[10]));
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length == 10);
      assertThat(sink.breaks).hasValue(0);
    }
  }

  private static void assertRefused(TwoNodes nodes, Path tls, Resume resume, String why)
      throws Exception {
    try (RawPeer raw = RawPeer.connect(tls, nodes.destination.port())) {
      raw.greet(resume);
      ErrorReport report = raw.readRefusal();
      assertThat(report.message()).contains(why);
      assertThat(report.kind()).isIn(Kind.REFUSED, Kind.UNAUTHENTICATED);
    }
  }

  @Test
  void aNewerConnectionTakesTheStreamOverAndTheOlderOneIsClosed() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Awaited awaited = nodes.await(1, sink);
        RawPeer first = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      first.greet(RawPeer.resumableHello(awaited, 0, 1));
      byte[] key = ((Welcome) first.readGreeting()).key();
      OutgoingFrames frames = new OutgoingFrames(2, 0);
      first.beginFrames(frames);
      first.write(first.deviceState(new byte[10]));
      // Half of a frame, which is to leave no trace.
      ByteBuffer second = first.deviceState(new byte[] {1, 2, 3, 4});
      first.write(second.duplicate().limit(FrameHeader.BYTES + 2));
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length == 10);
      try (RawPeer newer = RawPeer.connect(nodes.sourceTls, nodes.destination.port());
          RawPeer newest = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
        newer.greet(resume(0, awaited.token(), key));
        assertThat(((Welcome) newer.readGreeting()).next()).isEqualTo(1);
        first.awaitEnd();
        newest.greet(resume(0, awaited.token(), key));
        assertThat(((Welcome) newest.readGreeting()).next()).isEqualTo(1);
        newer.awaitEnd();
        newest.beginFrames(frames);
        newest.write(second);
        newest.write(newest.end());
        ByteBuffer payload = ByteBuffer.allocate(EndMark.BYTES);
        FrameType type = FrameType.TAKEN;
        while (type == FrameType.TAKEN) {
          type = newest.readFrame(payload);
        }
        assertThat(type).isEqualTo(FrameType.LOADED);
      }
    }
    assertThat(sink.chunkLengths()).containsExactly(10, 4);
    assertThat(sink.completions).hasValue(1);
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aFrameThatWasTakenIsNotTakenAgain() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Awaited awaited = nodes.await(1, sink);
        RawPeer first = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      first.greet(RawPeer.resumableHello(awaited, 0, 1));
      byte[] key = ((Welcome) first.readGreeting()).key();
      first.beginFrames(new OutgoingFrames(2, 0));
      ByteBuffer frame = first.deviceState(new byte[10]);
      first.write(frame);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length == 10);
      try (RawPeer newer = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
        newer.greet(resume(0, awaited.token(), key));
        assertThat(((Welcome) newer.readGreeting()).next()).isEqualTo(1);
        newer.write(frame);
        assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).getMessage())
            .contains("frame 1: its sequence number is 0: a frame was sent again");
      }
    }
    assertThat(sink.chunkLengths()).containsExactly(10);
  }

  @Test
  void aSourceOfTheFirstVersionIsNotWaitedFor() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink);
        RawPeer old = RawPeer.connect(nodes.sourceTls, relay.port())) {
      old.welcomed(RawPeer.hello(awaited, 0, 1));
      old.write(old.deviceState(new byte[10]));
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length == 10);
      relay.cut();
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).kind())
          .isEqualTo(Kind.BROKEN);
    }
  }

  @Test
  void aDestinationOfTheFirstVersionIsServedAndNotConnectedAgain() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<FrameType> played =
          CompletableFuture.supplyAsync(
              () -> {
                try (RawPeer old = RawPeer.accept(nodes.destinationTls, listener)) {
                  old.readGreeting();
                  old.greet(new Welcome(1, 60_000));
                  FrameType first = old.readFrame(ByteBuffer.allocate(TwoNodes.CHUNK));
                  // More than is kept: that nothing is said to be taken holds nobody up.
                  for (int frame = 1; frame < 100; frame++) {
                    old.readFrame(ByteBuffer.allocate(TwoNodes.CHUNK));
                  }
                  return first;
                } catch (Exception trouble) {
                  throw new IllegalStateException(trouble);
                }
              });
      Destination to =
          new Destination(
              TwoNodes.MIGRATION,
              TwoNodes.DESTINATION,
              "127.0.0.1",
              listener.getLocalPort(),
              new byte[Greeting.TOKEN_BYTES],
              1,
              0,
              TwoNodes.CHUNK);
      try (StateSender sender = nodes.source.connect(to)) {
        StreamException why = EndlessSending.failureOf(EndlessSending.by(sender));
        assertThat(why.kind()).isEqualTo(Kind.BROKEN);
        assertThat(why.getMessage()).doesNotContain("again");
      }
      assertThat(played.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS))
          .isEqualTo(FrameType.DEVICE_STATE);
    }
  }

  @Test
  void aDestinationThatSaysItTookMoreThanWasSentIsNotBelieved() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, PATIENT);
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Void> played =
          CompletableFuture.runAsync(
              () -> {
                try (RawPeer liar = RawPeer.accept(nodes.destinationTls, listener)) {
                  liar.readGreeting();
                  liar.greet(new Welcome(2, 60_000, new byte[Greeting.KEY_BYTES], 0));
                  liar.beginFrames(new OutgoingFrames(2, 0));
                  liar.write(
                      liar.frame(FrameType.TAKEN, 0, 0, new byte[] {0, 0, 0, 0, 0, 0, 0, 9}));
                  liar.awaitEnd();
                } catch (Exception trouble) {
                  throw new IllegalStateException(trouble);
                }
              });
      Destination to =
          new Destination(
              TwoNodes.MIGRATION,
              TwoNodes.DESTINATION,
              "127.0.0.1",
              listener.getLocalPort(),
              new byte[Greeting.TOKEN_BYTES],
              1,
              0,
              TwoNodes.CHUNK);
      try (StateSender sender = nodes.source.connect(to)) {
        await()
            .atMost(TwoNodes.TIMEOUT)
            .untilAsserted(
                () ->
                    assertThatThrownBy(() -> sender.paused(0))
                        .hasMessageContaining("has taken 9 frames")
                        .isInstanceOfSatisfying(
                            StreamException.class,
                            why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT)));
      }
      played.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }
  }
}
