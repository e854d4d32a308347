package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A connection that is not the awaited one is refused by name, and harms nothing. */
@Timeout(120)
class RefusalTest {
  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  @Test
  void aWrongTokenIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink)) {
      byte[] wrong = awaited.token();
      wrong[31] ^= 1;
      assertThatThrownBy(() -> nodes.source.connect(nodes.to(wrong, 1, 0)))
          .isInstanceOfSatisfying(StreamException.class, is(Kind.UNAUTHENTICATED))
          .hasMessageContaining("the token is not that of migration " + TwoNodes.MIGRATION);
      stillWorks(nodes, awaited);
    }
  }

  @Test
  void aTokenThatIsUsedAgainIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        StateSender first = nodes.connect(awaited, 1)) {
      assertThatThrownBy(() -> nodes.connect(awaited, 1))
          .isInstanceOfSatisfying(StreamException.class, is(Kind.REFUSED))
          .hasMessageContaining("its token was used for stream 0 before");
      TwoNodes.sendState(first, new byte[5]);
      first.end();
      first.awaitLoaded(TwoNodes.TIMEOUT);
      assertThatThrownBy(() -> nodes.connect(awaited, 1))
          .isInstanceOfSatisfying(StreamException.class, is(Kind.REFUSED))
          .hasMessageContaining("it takes no connections any more");
      assertThat(sink.breaks).hasValue(0);
    }
  }

  @Test
  void aTokenIsDifferentEachTimeAndTheFormerOneIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      byte[] first;
      try (Awaited awaited = nodes.await(1, sink)) {
        first = awaited.token();
        assertThat(first).hasSize(32);
      }
      try (Awaited awaited = nodes.await(1, sink)) {
        assertThat(awaited.token()).isNotEqualTo(first);
        assertThatThrownBy(() -> nodes.source.connect(nodes.to(first, 1, 0)))
            .isInstanceOfSatisfying(StreamException.class, is(Kind.UNAUTHENTICATED));
      }
    }
  }

  @Test
  void aMigrationThatNobodyAwaitsIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      Awaited closed = nodes.await(1, sink);
      closed.close();
      assertThatThrownBy(() -> nodes.connect(closed, 1))
          .isInstanceOfSatisfying(StreamException.class, is(Kind.REFUSED))
          .hasMessageContaining(
              "no destination of this agent awaits migration " + TwoNodes.MIGRATION);
    }
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aMigrationThatIsAwaitedAlreadyIsNotAwaitedTwice() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink)) {
      assertThatThrownBy(() -> nodes.await(1, sink))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("is awaited already");
      stillWorks(nodes, awaited);
    }
  }

  @Test
  void versionsThatTheDestinationDoesNotSpeakAreRefused() throws Exception {
    assertHelloRefused(
        hello ->
            new Hello(
                3,
                7,
                hello.stream(),
                hello.streams(),
                hello.chunkBytes(),
                hello.idleMillis(),
                hello.migration(),
                hello.token()),
        Kind.VERSION,
        "the source speaks stream versions 3 to 7, the destination speaks versions 1 to 2");
  }

  @Test
  void anotherNumberOfStreamsIsRefused() throws Exception {
    assertHelloRefused(
        hello -> with(hello, 0, 3, TwoNodes.CHUNK),
        Kind.REFUSED,
        "it was prepared for 1 streams, not 3");
  }

  @Test
  void aStreamBeyondTheNumberIsRefused() throws Exception {
    assertHelloRefused(
        hello -> with(hello, 1, 1, TwoNodes.CHUNK),
        Kind.REFUSED,
        "stream 1 is not one of its 1 streams");
    assertHelloRefused(
        hello -> with(hello, -1, 1, TwoNodes.CHUNK), Kind.REFUSED, "stream -1 is not one");
  }

  @Test
  void chunksBeyondTheLimitAreRefused() throws Exception {
    int limit = StreamSettings.defaults().maximumChunkBytes();
    assertHelloRefused(
        hello -> with(hello, 0, 1, limit + 1),
        Kind.REFUSED,
        "chunks of " + (limit + 1) + " bytes are announced; 1 to " + limit + " are allowed");
    assertHelloRefused(
        hello -> with(hello, 0, 1, -1), Kind.REFUSED, "chunks of -1 bytes are announced");
  }

  @Test
  void aTokenOfAnotherLengthIsRefused() throws Exception {
    assertHelloRefused(
        hello ->
            new Hello(1, 1, 0, 1, TwoNodes.CHUNK, 1000, hello.migration(), new byte[] {1, 2, 3}),
        Kind.UNAUTHENTICATED,
        "the token is not that of");
  }

  @Test
  void aGreetingWithAFlippedBitIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      ByteBuffer hello = GreetingCodec.encode(RawPeer.hello(awaited, 0, 1));
      hello.put(50, (byte) (hello.get(50) ^ 4));
      raw.write(hello);
      ErrorReport report = raw.readRefusal();
      assertThat(report.kind()).isEqualTo(Kind.CORRUPT);
      assertThat(report.message()).contains("the greeting is malformed: its CRC32C is");
      stillWorks(nodes, awaited);
    }
  }

  @Test
  void somethingThatIsNoGreetingIsRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.write(ByteBuffer.wrap("GET /state HTTP/1.1\r\n".getBytes()));
      assertThat(raw.readRefusal().message()).contains("no state stream");
      stillWorks(nodes, awaited);
    }
  }

  @Test
  void aConnectionThatNeverSaysHelloIsRefusedAfterItsTime() throws Exception {
    StreamSettings impatient =
        TwoNodes.quick()
            .withConnectionTimeouts(
                Duration.ofSeconds(10), Duration.ofMillis(3500), Duration.ofMillis(500));
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.quick(), impatient, System::nanoTime);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      assertThat(raw.readRefusal().message()).isEqualTo("no HELLO came within 4000 ms");
      stillWorks(nodes, awaited);
    }
  }

  @Test
  void aDestinationThatSpeaksAnotherVersionIsGivenUp() throws Exception {
    assertAnswerFails(
        new Greeting.Welcome(3, 1000, new byte[Greeting.KEY_BYTES], 0),
        Kind.VERSION,
        "chose stream version 3, this agent speaks versions 1 to 2");
  }

  @Test
  void aRefusalWithACodeOfALaterVersionCountsAsARefusal() throws Exception {
    assertAnswerFails(
        new Greeting.Refusal(new ErrorReport(Kind.REFUSED, "not today")),
        Kind.REFUSED,
        "the destination refused: not today");
    assertThat(FaultCode.kindOf(999)).isEqualTo(Kind.REFUSED);
  }

  @Test
  void aDestinationThatNeverAnswersIsGivenUpAfterItsTime() throws Exception {
    assertAnswerFails(null, Kind.BROKEN, "no answer to HELLO within 300 ms");
  }

  @Test
  void aPortWhereNobodyListensIsSaidWithItsNode() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      // Bound and never listening: nobody else can come by the port meanwhile.
      try (Socket bound = new Socket()) {
        bound.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        assertThatThrownBy(() -> nodes.source.connect(at(bound.getLocalPort())))
            .isInstanceOfSatisfying(StreamException.class, is(Kind.BROKEN))
            .hasMessageContaining("cannot connect")
            .hasMessageContaining("is the agent of node-b up");
      }
    }
  }

  @Test
  void aRequestThatMakesNoSenseIsRefusedBeforeItIsSent() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      for (Destination absurd :
          List.of(
              nodes.to(new byte[31], 1, 0),
              nodes.to(new byte[32], 0, 0),
              nodes.to(new byte[32], 17, 0),
              nodes.to(new byte[32], 1, -1),
              at(0),
              at(65536))) {
        assertThatThrownBy(() -> nodes.source.connect(absurd))
            .isInstanceOf(IllegalArgumentException.class);
      }
      assertThatThrownBy(() -> nodes.await(0, sink)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> nodes.await(17, sink)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  private void assertHelloRefused(UnaryOperator<Hello> change, Kind kind, String message)
      throws Exception {
    RecordingSink unharmed = new RecordingSink();
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, unharmed);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.greet(change.apply(RawPeer.hello(awaited, 0, 1)));
      ErrorReport report = raw.readRefusal();
      assertThat(report.kind()).isEqualTo(kind);
      assertThat(report.message()).contains(message);
      assertThat(unharmed.starts).hasValue(0);
      assertThat(unharmed.breaks).hasValue(0);
      try (StateSender sender = nodes.connect(awaited, 1)) {
        sender.end();
        sender.awaitLoaded(TwoNodes.TIMEOUT);
      }
    }
  }

  /** What a source says when its destination answers HELLO so; null for not at all. */
  private void assertAnswerFails(Greeting answer, Kind kind, String message) throws Exception {
    StreamSettings impatient =
        TwoNodes.quick()
            .withConnectionTimeouts(
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                answer == null ? Duration.ofMillis(300) : Duration.ofSeconds(10));
    try (TwoNodes nodes = new TwoNodes(work, impatient);
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Greeting> heard = new CompletableFuture<>();
      Thread destination =
          new Thread(
              () -> {
                try (RawPeer raw = RawPeer.accept(nodes.destinationTls, listener)) {
                  heard.complete(raw.readGreeting());
                  if (answer != null) {
                    raw.greet(answer);
                  }
                  raw.awaitEnd();
                } catch (IOException | GeneralSecurityException trouble) {
                  heard.completeExceptionally(trouble);
                }
              });
      destination.start();
      assertThatThrownBy(() -> nodes.source.connect(at(listener.getLocalPort())))
          .isInstanceOfSatisfying(StreamException.class, is(kind))
          .hasMessageContaining(message);
      assertThat(heard.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS))
          .isInstanceOf(Hello.class);
      destination.join();
    }
  }

  private void stillWorks(TwoNodes nodes, Awaited awaited)
      throws IOException, InterruptedException {
    try (StateSender sender = nodes.connect(awaited, 1)) {
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(sink.completions).hasValue(1);
    assertThat(sink.breaks).hasValue(0);
  }

  private static Destination at(int port) {
    return new Destination(
        TwoNodes.MIGRATION,
        TwoNodes.DESTINATION,
        "127.0.0.1",
        port,
        new byte[32],
        1,
        0,
        TwoNodes.CHUNK);
  }

  private static Hello with(Hello hello, int stream, int streams, int chunkBytes) {
    return new Hello(
        1, 1, stream, streams, chunkBytes, hello.idleMillis(), hello.migration(), hello.token());
  }

  private static Consumer<StreamException> is(Kind kind) {
    return why -> assertThat(why.kind()).isEqualTo(kind);
  }
}
