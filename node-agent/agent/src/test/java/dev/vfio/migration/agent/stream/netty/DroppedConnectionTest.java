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
import dev.vfio.migration.connections.ConnectionLimits;
import dev.vfio.migration.connections.NewConnections;
import dev.vfio.migration.connections.NewConnections.Stage;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who is dropped to make room, what that bounds, and who tries again. */
@Timeout(120)
class DroppedConnectionTest {
  private static final Duration AMPLE = Duration.ofSeconds(60);

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  private TwoNodes bounded(int most, int mostPerAddress) throws IOException {
    MemoryBudget ample = MemoryBudget.ofThisProcess();
    return new TwoNodes(work, new ConnectionLimits(most, mostPerAddress, AMPLE), ample, ample);
  }

  private static void loads(StateSender sender) throws IOException, InterruptedException {
    sender.end();
    sender.awaitLoaded(TwoNodes.TIMEOUT);
  }

  @Test
  void aSourceThatWasDroppedBeforeItWasLetInTriesAgain() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(3, sink)) {
      relay.dropNext(4);
      try (StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 3))) {
        loads(sender);
      }
      assertThat(relay.accepted()).isEqualTo(3 + 4);
    }
    assertThat(sink.completions).hasValue(1);
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aSourceThatIsAlwaysDroppedGivesUpAndSaysHowOftenItTried() throws Exception {
    StreamSettings quick =
        TwoNodes.quick()
            .withConnectionTimeouts(
                Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(10));
    try (TwoNodes nodes = new TwoNodes(work, quick);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink)) {
      relay.dropNext(Integer.MAX_VALUE);
      assertThatThrownBy(() -> nodes.source.connect(nodes.through(relay, awaited, 1)))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.BROKEN))
          .hasMessageContaining("to node node-b (127.0.0.1:")
          .hasMessageMatching("(?s).*\\(try [2-9]; at the first one: .*");
    }
    assertThat(sink.starts).hasValue(0);
  }

  @Test
  void aRefusalIsAnAnswerAndIsNotTriedAgain() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink)) {
      Destination to = nodes.through(relay, awaited, 1);
      Destination wrong =
          new Destination(
              to.migration(), to.node(), to.host(), to.port(), new byte[32], 1, 0, TwoNodes.CHUNK);
      assertThatThrownBy(() -> nodes.source.connect(wrong))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED));
      assertThat(relay.accepted()).isEqualTo(1);
    }
  }

  /** Which then is between two tries. */
  @Test
  void aRefusalOfOneStreamEndsAnotherOneThatWasDropped() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(4, sink)) {
      Destination to = nodes.through(relay, awaited, 4);
      Destination wrong =
          new Destination(
              to.migration(), to.node(), to.host(), to.port(), new byte[32], 4, 0, to.chunkBytes());
      relay.dropNext(1);
      assertThatThrownBy(() -> nodes.source.connect(wrong))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED));
    }
  }

  @Test
  void unknownConnectionsAreBoundedInAllAndForEachAddress() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = bounded(10, 4);
        Awaited awaited = nodes.await(1, sink);
        Flood one = new Flood(nodes.destination.port(), List.of("127.0.0.2")).hold(100)) {
      NewConnections unknown = nodes.destination.newConnections();
      await().atMost(TwoNodes.TIMEOUT).until(() -> unknown.unknown(Stage.SILENT) == 16);
      try (Flood many =
          new Flood(
                  nodes.destination.port(),
                  List.of("127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"))
              .hold(100)) {
        await().atMost(TwoNodes.TIMEOUT).until(() -> unknown.unknown(Stage.SILENT) == 40);
        assertThat(unknown.open()).isLessThanOrEqualTo(120);
        assertThat(one.made() + many.made()).isEqualTo(200);
        log.awaitMatch(
            "dropped the connection from /127\\.0\\.0\\.[2-6]:.*, which had not said who it is, to"
                + " let another one in: 10 \\(4 of one address\\) may be open at a time.*");
        try (StateSender sender = nodes.connect(awaited, 1)) {
          loads(sender);
        }
      }
      await().atMost(TwoNodes.TIMEOUT).until(() -> unknown.unknown(Stage.SILENT) <= 16);
    }
  }

  @Test
  void whoIsKnownCountsNoMore() throws Exception {
    try (TwoNodes nodes = bounded(2, 2);
        Awaited awaited = nodes.await(8, sink);
        StateSender sender = nodes.connect(awaited, 8)) {
      await().atMost(TwoNodes.TIMEOUT).until(() -> nodes.destination.newConnections().open() == 0);
      loads(sender);
    }
    assertThat(sink.completions).hasValue(1);
  }

  /** Whoever reads no refusal could else hold as many connections as there may be. */
  @Test
  void whoIsRefusedCountsAsUnknownUntilTheReasonIsSent() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.patient());
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.greet(RawPeer.hello(awaited, 5, 1));
      assertThat(raw.readRefusal().message()).contains("stream 5 is not one of");
      NewConnections unknown = nodes.destination.newConnections();
      assertThat(unknown.open()).isEqualTo(1);
      assertThat(unknown.unknown(Stage.CERTIFIED)).isEqualTo(1);
    }
  }

  @Test
  void whoOnlyShowsACertificateIsUnknownStill() throws Exception {
    try (TwoNodes nodes = bounded(4, 4);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port());
        Flood silent = new Flood(nodes.destination.port(), List.of("127.0.0.1")).hold(20)) {
      NewConnections unknown = nodes.destination.newConnections();
      await().atMost(TwoNodes.TIMEOUT).until(() -> unknown.unknown(Stage.CERTIFIED) == 1);
      await().atMost(TwoNodes.TIMEOUT).until(() -> unknown.unknown(Stage.SILENT) == 16);
      assertThat(silent.made()).isEqualTo(20);
      raw.greet(RawPeer.hello(nodes.await(1, sink), 0, 1));
      assertThat(raw.readGreeting()).isInstanceOf(Greeting.Welcome.class);
    }
  }

  @Test
  void whoIsLateIsClosed() throws Exception {
    MemoryBudget ample = MemoryBudget.ofThisProcess();
    try (Log log = new Log();
        TwoNodes nodes =
            new TwoNodes(work, new ConnectionLimits(4, 4, Duration.ofMillis(300)), ample, ample);
        Socket idle = new Socket("127.0.0.1", nodes.destination.port())) {
      idle.setSoTimeout((int) TwoNodes.TIMEOUT.toMillis());
      assertThat(idle.getInputStream().read()).isNegative();
      log.awaitMatch("closed the connection from .*: within 300 ms it had not said who it is");
      await().atMost(TwoNodes.TIMEOUT).until(() -> nodes.destination.newConnections().open() == 0);
    }
  }
}
