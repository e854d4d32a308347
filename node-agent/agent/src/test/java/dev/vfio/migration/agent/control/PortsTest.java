package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import io.grpc.ManagedChannel;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What somebody who is nobody can take at the ports of control and health: little, and not for
 * long.
 */
@QuarkusTest
@QuarkusTestResource(NodeForTests.class)
@Timeout(180)
class PortsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final int MANY = 1500;
  private static final String HALF = "GET /q/health/live HTTP/1.1\r\nHost: node\r\nX-Half: ";
  private static final String CLIENT_HELLO = "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001";

  /** There may be 256 that brought about no answer, 64 that did, and a few are being closed. */
  private static final int FEW = 400;

  @TestHTTPResource(value = "/", tls = true)
  URL control;

  @TestHTTPResource(value = "/", management = true)
  URL management;

  @ConfigProperty(name = "test.certificates")
  Path certificates;

  private final List<SocketChannel> held = new ArrayList<>();
  private ManagedChannel operator;

  @AfterEach
  void close() throws IOException {
    for (SocketChannel channel : held) {
      channel.close();
    }
    if (operator != null) {
      operator.shutdownNow();
    }
  }

  private void hold(int port, int count, String bytes, String... addresses) throws IOException {
    for (int index = 0; index < count; index++) {
      SocketChannel channel = SocketChannel.open();
      held.add(channel);
      channel.bind(new InetSocketAddress(addresses[index % addresses.length], 0));
      channel.connect(new InetSocketAddress("127.0.0.1", port));
      try {
        channel.write(ByteBuffer.wrap(bytes.getBytes(StandardCharsets.ISO_8859_1)));
      } catch (IOException dropped) {
        assertThat(dropped).hasMessageMatching("Broken pipe|Connection reset.*");
      }
    }
    for (SocketChannel channel : held) {
      channel.configureBlocking(false);
    }
  }

  /** How many of the connections that are held the agent still has. */
  private int open() {
    int open = 0;
    for (SocketChannel channel : held) {
      try {
        int read = channel.read(ByteBuffer.allocate(1024));
        open += read < 0 ? 0 : 1;
      } catch (IOException reset) {
        assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
      }
    }
    return open;
  }

  private NodeAgentGrpc.NodeAgentBlockingStub operator() throws IOException {
    operator = NodeForTests.channel(control, certificates, "operator").build();
    return NodeAgentGrpc.newBlockingStub(operator)
        .withDeadlineAfter(TIMEOUT.toSeconds() * 2, TimeUnit.SECONDS);
  }

  /** A probe may come while more connections arrive than can be dropped; the kubelet repeats it. */
  private void isAlive() {
    HttpRequest probe =
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + management.getPort() + "/q/health/live"))
            .timeout(TIMEOUT)
            .build();
    await()
        .atMost(TIMEOUT)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () ->
                HttpClient.newHttpClient()
                        .send(probe, HttpResponse.BodyHandlers.discarding())
                        .statusCode()
                    == 200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", HALF})
  void requestsThatDoNotEndKeepNoProbeOutAndAreDropped(String bytes) throws Exception {
    hold(management.getPort(), MANY, bytes, "127.0.0.1");
    isAlive();
    await().atMost(TIMEOUT).until(() -> open() < FEW);
    isAlive();
  }

  @Test
  void thoseOfManyAddressesAreDroppedToo() throws Exception {
    hold(management.getPort(), MANY, HALF, "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5");
    hold(management.getPort(), MANY, HALF, "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9");
    isAlive();
    await().atMost(TIMEOUT).until(() -> open() < FEW);
  }

  @Test
  void aRequestThatTricklesInEnds() throws Exception {
    try (Socket slow = new Socket("127.0.0.1", management.getPort())) {
      slow.setSoTimeout(100);
      slow.getOutputStream().write(HALF.getBytes(StandardCharsets.US_ASCII));
      await()
          .atMost(TIMEOUT)
          .pollInterval(Duration.ofMillis(10))
          .until(() -> isClosedAfter(slow, 'x'));
    }
  }

  /** Also the second one: a connection that was served once is no better. */
  @Test
  void aSecondRequestThatTricklesInEnds() throws Exception {
    try (Socket slow = new Socket("127.0.0.1", management.getPort())) {
      slow.getOutputStream().write("GET /q/health/live HTTP/1.1\r\nHost: node\r\n\r\n".getBytes());
      slow.setSoTimeout((int) TIMEOUT.toMillis());
      assertThat(slow.getInputStream().read()).isEqualTo('H');
      slow.setSoTimeout(100);
      await()
          .atMost(TIMEOUT)
          .pollInterval(Duration.ofMillis(10))
          .until(() -> isClosedAfter(slow, 'G'));
    }
  }

  private static boolean isClosedAfter(Socket socket, int sent) throws IOException {
    try {
      socket.getOutputStream().write(sent);
      InputStream in = socket.getInputStream();
      return in.read(new byte[1024]) < 0;
    } catch (SocketTimeoutException stillOpen) {
      return false;
    } catch (SocketException reset) {
      assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
      return true;
    }
  }

  @Test
  void aHeadBeyondAllMeasureIsRefused() throws Exception {
    try (Socket large = new Socket("127.0.0.1", management.getPort())) {
      large.setSoTimeout((int) TIMEOUT.toMillis());
      String head = "GET /q/health/live HTTP/1.1\r\nHost: node\r\nX: " + "y".repeat(9000);
      large.getOutputStream().write((head + "\r\n\r\n").getBytes());
      String answer = new String(large.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
      assertThat(answer).isEqualTo("HTTP/1.1 431");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", CLIENT_HELLO})
  void handshakesThatDoNotEndKeepTheOperatorNotOut(String bytes) throws Exception {
    hold(control.getPort(), MANY, bytes, "127.0.0.1");
    assertThat(operator().describeNode(DescribeNodeRequest.getDefaultInstance()).getNodeName())
        .isEqualTo("node-a");
    await().atMost(TIMEOUT).until(() -> open() < FEW);
  }

  /** Longer than anybody unknown may stay, and nothing is said on it. */
  @Test
  void aQuietWatchOutlivesAllThat() throws Exception {
    var agent = operator();
    Iterator<Session> watch =
        agent.watchSessions(WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build());
    Session first = watch.next();
    while (!first.getFirstBatchComplete()) {
      first = watch.next();
    }
    hold(control.getPort(), 1, "", "127.0.0.1");
    await().atMost(TIMEOUT).until(() -> open() == 0);
    hold(control.getPort(), MANY, "", "127.0.0.1");
    agent.startSource(
        StartSourceRequest.newBuilder()
            .setHeader(
                CommandHeader.newBuilder()
                    .setMigrationUid("quiet")
                    .setMigrationName("test/quiet")
                    .setAttempt(1)
                    .setFencingNumber(Long.MAX_VALUE))
            .setDevice("vfio-user:none")
            .setDestinationNode("node-b")
            .setDestinationHost("127.0.0.1")
            .setDestinationPort(1)
            .setToken(com.google.protobuf.ByteString.copyFrom(new byte[32]))
            .setMode(Mode.LIVE)
            .setStreams(1)
            .build());
    assertThat(watch.next().getMigrationUid()).isEqualTo("quiet");
  }

  @Test
  void anotherAgentMayConnectButMayNotStay() throws Exception {
    try (Socket agent =
        ShownCertificate.connect(
            control.getPort(),
            certificates.resolve("other-agent"),
            certificates.resolve("agent"))) {
      agent.setSoTimeout((int) TIMEOUT.toMillis());
      // HTTP/1.1 over TLS, nothing asked: only a time limit ends that.
      assertThat(agent.getInputStream().read()).isNegative();
    } catch (SocketException reset) {
      assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void strangersDoNotFillTheLog(boolean atControl) throws Exception {
    int port = atControl ? control.getPort() : management.getPort();
    AtomicInteger lines = new AtomicInteger();
    Handler counter =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            lines.incrementAndGet();
          }

          @Override
          public void flush() {
            // Nothing is kept.
          }

          @Override
          public void close() {
            // Nothing is held.
          }
        };
    Logger root = Logger.getLogger("");
    root.addHandler(counter);
    try {
      for (int index = 0; index < 500; index++) {
        try (Socket stranger = new Socket(InetAddress.getLoopbackAddress(), port)) {
          stranger.setSoTimeout((int) TIMEOUT.toMillis());
          stranger.getOutputStream().write("\u0000nonsense\r\n\r\n".getBytes());
          stranger.getInputStream().read(new byte[1024]);
        } catch (SocketException reset) {
          assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
        }
      }
    } finally {
      root.removeHandler(counter);
    }
    assertThat(lines.get()).isLessThan(50);
  }
}
