package dev.vfio.migration.operator.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.record.MigrationStore.ContentRefusedException;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An API server that takes nothing, or takes its time. */
@Timeout(120)
class ApiServerRefusalsTest {
  private final CountDownLatch mayAnswer = new CountDownLatch(1);
  private final List<String> received = new CopyOnWriteArrayList<>();
  private HttpServer server;
  private KubernetesClient client;
  private volatile int code = 201;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", this::answer);
    server.start();
    Config config =
        new ConfigBuilder(Config.empty())
            .withMasterUrl("http://127.0.0.1:" + server.getAddress().getPort())
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
  }

  @AfterEach
  void stop() {
    mayAnswer.countDown();
    client.close();
    server.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    try {
      mayAnswer.await();
    } catch (InterruptedException ended) {
      throw new IOException(ended);
    }
    received.add(body);
    byte[] answer =
        (code < 300
                ? body
                : "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"code\": "
                    + code
                    + ", \"message\": \"denied\"}")
            .getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().add("Content-Type", "application/json");
    exchange.sendResponseHeaders(code, answer.length);
    exchange.getResponseBody().write(answer);
    exchange.close();
  }

  private static DeviceMigration migration(String name) {
    DeviceMigration migration = new DeviceMigration();
    migration.getMetadata().setNamespace("default");
    migration.getMetadata().setName(name);
    migration.getMetadata().setResourceVersion("7");
    return migration;
  }

  private void write() throws OutdatedException, ContentRefusedException {
    mayAnswer.countDown();
    new ApiServerStore(client).writeStatus(migration("m"), DeviceMigrationStatus.EMPTY);
  }

  /** 403 is how most admission webhooks deny. */
  @ParameterizedTest
  @ValueSource(ints = {400, 403, 413, 422})
  void aStatusThatIsDeniedIsRefusedForItsContent(int answer) {
    code = answer;
    assertThatThrownBy(this::write).isInstanceOf(ContentRefusedException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {404, 409})
  void aStatusOfAnObjectThatChangedIsOutdated(int answer) {
    code = answer;
    assertThatThrownBy(this::write).isInstanceOf(OutdatedException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {401, 500})
  void whateverElseIsTriedAgain(int answer) {
    code = answer;
    assertThatThrownBy(this::write).isInstanceOf(KubernetesClientException.class);
  }

  @Test
  void refusedOnesWithoutNumberLeaveRoomForWhatWasDecided() {
    try (ApiServerEvents events = new ApiServerEvents(client, Clock.systemUTC(), "operator-0")) {
      for (int at = 0; at < 2 * ApiServerEvents.MAX_BACKLOG; at++) {
        events.record(migration("in-the-way-" + at), EventReason.REFUSED, "not here");
      }
      events.record(migration("m"), EventReason.COMMITTED, "decided");
      mayAnswer.countDown();
      await()
          .atMost(Duration.ofSeconds(60))
          .until(() -> received.stream().anyMatch(event -> event.contains("Committed")));
    }
    assertThat(received).hasSizeBetween(2, ApiServerEvents.MAX_BACKLOG);
  }
}
