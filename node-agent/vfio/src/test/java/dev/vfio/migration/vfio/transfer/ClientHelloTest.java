package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client says first, and what comes of one that says something else or nothing. */
@Timeout(120)
class ClientHelloTest extends ListenerFixture {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"protocol\":2,\"workload\":\"a\",\"holds\":null}",
        "{\"workload\":\"a\"}",
        "{\"protocol\":1,\"workload\":\"\"}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":7}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":\"with blank\"}",
        "{\"protocol\":1,\"workload\":\"a\",\"hold\":\"uid-1/1\"}",
        "{\"protocol\":\"1\",\"workload\":\"a\",\"holds\":null}",
        "{\"protocol\":1.5,\"workload\":\"a\",\"holds\":null}"
      })
  void whatSaysNoProperHelloIsToldSo(String hello) throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      client.say(hello);

      JsonNode answer = client.next();
      assertThat(answer.path("ok").asBoolean(true)).isFalse();
      assertThat(answer.path("error").asText()).isNotEmpty();
      assertThat(client.next()).isNull();
    }
    assertThat(listener.waiting(DEVICE)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "not JSON",
        "[1]",
        "{}\n{}",
        "",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":null}{}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":\"uid-1/1\",\"holds\":null}"
      })
  void whatIsNoLineOfTheProtocolEndsTheConnection(String noise) throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      client.say(noise);

      JsonNode answer = client.next();
      assertThat(answer == null || !answer.path("ok").asBoolean(true)).isTrue();
    }
    assertThat(listener.waiting(DEVICE)).isEmpty();
  }

  @Test
  void anEndlessLineEndsTheConnection() throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      assertThatThrownBy(
              () -> {
                client.say("x".repeat(LineConnection.MAX_LINE_BYTES + 1));
                if (client.next() == null) {
                  throw new IOException("closed");
                }
              })
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void whoSaysNothingIsSentAwayAndKeepsNobodyElseOut() throws Exception {
    try (WorkloadListener hasty =
        newListener(folder.resolve("hasty"), Duration.ofSeconds(2), user -> false)) {
      hasty.offer(DEVICE);
      try (TestClient silent = TestClient.connect(hasty.socket(DEVICE));
          TestClient polite = TestClient.waitAt(hasty.socket(DEVICE), null)) {
        assertThat(silent.next().path("errno").asInt()).isEqualTo(110);
        assertThat(hasty.waiting(DEVICE)).contains("shop-db");
        assertThat(polite.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void onlySoManyAreLetInBeforeTheySayWhoTheyAre() throws Exception {
    List<TestClient> silent = new ArrayList<>();
    try {
      for (int i = 0; i < 8; i++) {
        silent.add(TestClient.connect(socket));
      }
      TestClient tooMany = TestClient.connect(socket);
      silent.add(tooMany);

      assertThatThrownBy(
              () -> {
                if (tooMany.next() == null) {
                  throw new IOException("closed");
                }
              })
          .isInstanceOf(IOException.class);
    } finally {
      silent.forEach(TestClient::close);
    }
  }
}
