package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamSettings;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever connects to the state port without being anybody takes nothing from those who are. */
@Timeout(180)
class PortFloodTest {
  private static final String OF_THE_SOURCE = "127.0.0.1";
  private static final String MANY =
      "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8,127.0.0.9";

  /** As the first record of a TLS handshake begins. */
  private static final byte[] CLIENT_HELLO = {22, 3, 1, 2, 0, 1, 0, 1, (byte) 252, 3, 3};

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  private static Flood flood(TwoNodes nodes, String addresses) {
    return new Flood(nodes.destination.port(), List.of(addresses.split(",")));
  }

  private void moves(TwoNodes nodes, Awaited awaited) throws IOException, InterruptedException {
    try (StateSender sender = nodes.connect(awaited, 4)) {
      TwoNodes.sendState(sender, new byte[100]);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(sink.deviceStateBytes()).hasSize(100);
  }

  @ParameterizedTest
  @ValueSource(strings = {OF_THE_SOURCE, MANY})
  void idleConnectionsKeepNoSourceOut(String addresses) throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(4, sink);
        Flood idle = flood(nodes, addresses).hold(2000)) {
      assertThat(idle.made()).isEqualTo(2000);
      moves(nodes, awaited);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {OF_THE_SOURCE, MANY})
  void handshakesThatDoNotGoOnKeepNoSourceOut(String addresses) throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(4, sink);
        Flood halves = flood(nodes, addresses).hold(2000, CLIENT_HELLO)) {
      assertThat(halves.made()).isEqualTo(2000);
      moves(nodes, awaited);
    }
  }

  /** Who keeps connecting pushes out the source, too, in the moment before it says anything. */
  @ParameterizedTest
  @ValueSource(strings = {OF_THE_SOURCE, MANY})
  void aSourceGetsInBesideOneWhoConnectsAgainAndAgain(String addresses) throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(4, sink);
        Flood flood = flood(nodes, addresses).begin()) {
      await().atMost(TwoNodes.TIMEOUT).until(() -> flood.made() > 1000);
      moves(nodes, awaited);
      long before = flood.made();
      await().atMost(TwoNodes.TIMEOUT).until(() -> flood.made() > before);
    }
  }

  @Test
  void aSessionUnderWayCannotBePushedOut() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(2, sink);
        StateSender sender = nodes.connect(awaited, 2);
        Flood idle = flood(nodes, OF_THE_SOURCE + "," + MANY).hold(2000)) {
      assertThat(idle.made()).isEqualTo(2000);
      TwoNodes.sendState(sender, new byte[100]);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(sink.breaks).hasValue(0);
  }

  @Test
  void aHandshakeThatTricklesInEnds() throws Exception {
    StreamSettings impatient =
        TwoNodes.quick()
            .withConnectionTimeouts(
                Duration.ofSeconds(10), Duration.ofSeconds(1), Duration.ofSeconds(1));
    try (TwoNodes nodes = new TwoNodes(work, impatient);
        Socket slow = new Socket("127.0.0.1", nodes.destination.port())) {
      slow.setSoTimeout(50);
      byte[] announced = new byte[CLIENT_HELLO.length + 512];
      System.arraycopy(CLIENT_HELLO, 0, announced, 0, CLIENT_HELLO.length);
      int sent = 0;
      while (!isClosed(slow)) {
        assertThat(sent).as("bytes sent, one at a time").isLessThan(announced.length);
        slow.getOutputStream().write(announced[sent++]);
      }
    } catch (SocketException reset) {
      assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
    }
  }

  private static boolean isClosed(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() < 0;
    } catch (java.net.SocketTimeoutException stillOpen) {
      return false;
    }
  }

  @Test
  void whoIsRefusedAgainAndAgainDoesNotFillTheLog() throws Exception {
    int refused = 1500;
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      for (int index = 0; index < refused; index++) {
        try (Socket stranger = new Socket("127.0.0.1", nodes.destination.port())) {
          stranger.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes());
          stranger.setSoTimeout((int) TimeUnit.SECONDS.toMillis(30));
          stranger.getInputStream().readAllBytes();
        } catch (SocketException reset) {
          assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
        }
      }
      log.awaitMatch("refused a state stream from .*");
      assertThat(log.lines()).isLessThan(refused / 20);
    }
  }
}
