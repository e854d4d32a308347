package dev.vfio.migration.operator.health;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The operator's descriptors are for the API server and the agents, whoever holds its health port.
 */
@Timeout(120)
class OperatorPortsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  @Test
  void requestsThatDoNotEndKeepNoProbeOutAndAreDropped() throws Exception {
    // As Quarkus makes it: the service file is what puts the limits there.
    Vertx vertx = Vertx.vertx();
    List<SocketChannel> held = new ArrayList<>();
    try {
      HttpServer server =
          vertx
              .createHttpServer()
              .requestHandler(request -> request.response().end("UP"))
              .listen(0, "127.0.0.1")
              .toCompletionStage()
              .toCompletableFuture()
              .get(60, TimeUnit.SECONDS);
      for (int index = 0; index < 1500; index++) {
        SocketChannel channel = SocketChannel.open();
        held.add(channel);
        channel.connect(new InetSocketAddress("127.0.0.1", server.actualPort()));
        write(channel, "GET / HTTP/1.1\r\nX-Half: ");
        channel.configureBlocking(false);
      }
      HttpRequest probe =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.actualPort()))
              .timeout(TIMEOUT)
              .build();
      // It may come while more connections arrive than can be dropped; the kubelet repeats it.
      await()
          .atMost(TIMEOUT)
          .ignoreExceptionsInstanceOf(IOException.class)
          .until(
              () ->
                  HttpClient.newHttpClient()
                      .send(probe, HttpResponse.BodyHandlers.ofString())
                      .body()
                      .equals("UP"));
      await().atMost(TIMEOUT).until(() -> held.stream().filter(this::isOpen).count() < 100);
    } finally {
      for (SocketChannel channel : held) {
        channel.close();
      }
      vertx.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
    }
  }

  private static void write(SocketChannel channel, String text) {
    try {
      channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
    } catch (IOException dropped) {
      assertThat(dropped).hasMessageMatching("Broken pipe|Connection reset.*");
    }
  }

  private boolean isOpen(SocketChannel channel) {
    try {
      return channel.read(ByteBuffer.allocate(100)) >= 0;
    } catch (IOException reset) {
      assertThat(reset).hasMessageMatching("Broken pipe|Connection reset.*");
      return false;
    }
  }

  @Test
  void fewDescriptorsMeanFewConnections() {
    assertThat(OperatorPorts.limits(1_048_576).most()).isEqualTo(64);
    assertThat(OperatorPorts.limits(1024).descriptors()).isLessThan(1024 / 4);
    assertThat(OperatorPorts.limits(64).mostPerAddress()).isEqualTo(2);
  }
}
