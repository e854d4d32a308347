package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Watches on the wire: bookmarks, initial events, expiry, tables, and that they leave room for
 * requests.
 */
class WatchTest {
  private static final Duration SOON = Duration.ofSeconds(60);
  private static final String MAPS = "/api/v1/namespaces/default/configmaps";

  private ApiServer server;
  private RawClient raw;

  @BeforeEach
  void start() throws Exception {
    server =
        new ApiServer(
            ApiServerOptions.defaults()
                .withHistoryLimit(5)
                .withBookmarkInterval(Duration.ofMillis(50)));
    raw = new RawClient(server.url());
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void withoutAVersionAllPresentObjectsComeFirst() throws Exception {
    create("one");
    try (WatchLines watch = raw.watch(MAPS + "?watch=1")) {
      assertThat(watch.nextInShort()).isEqualTo("ADDED one");
      create("two");
      assertThat(watch.nextInShort()).isEqualTo("ADDED two");
      raw.send("DELETE", MAPS + "/one", Optional.empty());
      JsonNode deleted = watch.next();
      assertThat(deleted.path("type").asText()).isEqualTo("DELETED");
      assertThat(Json.textAt(deleted, "object", "data", "key")).isEqualTo("value");
    }
  }

  @Test
  void bookmarksSayWhichRevisionTheClientHasReached() throws Exception {
    String version = version();
    try (WatchLines watch =
        raw.watch(MAPS + "?watch=1&allowWatchBookmarks=true&resourceVersion=" + version)) {
      raw.post(
          "/api/v1/namespaces/default/secrets",
          "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"}}");
      String now = version();
      JsonNode bookmark = watch.next();
      while (!Json.textAt(bookmark, "object", "metadata", "resourceVersion").equals(now)) {
        assertThat(bookmark.path("type").asText()).isEqualTo("BOOKMARK");
        bookmark = watch.next();
      }
      assertThat(Json.textAt(bookmark, "object", "kind")).isEqualTo("ConfigMap");
    }
  }

  @Test
  void initialEventsAreRefusedSoThatClientsListFirst() throws Exception {
    RawClient.Answer answer =
        raw.get(
            MAPS
                + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                + "&allowWatchBookmarks=true");
    assertThat(answer.code()).isEqualTo(422);
  }

  @Test
  void aVersionThatIsTooOldIsAnswered410() throws Exception {
    String old = version();
    for (int i = 0; i < 7; i++) {
      create("map-" + i);
    }
    try (WatchLines watch = raw.watch(MAPS + "?watch=1&resourceVersion=" + old)) {
      JsonNode error = watch.next();
      assertThat(error.path("type").asText()).isEqualTo("ERROR");
      assertThat(error.path("object").path("code").asInt()).isEqualTo(410);
      assertThat(error.path("object").path("reason").asText()).isEqualTo("Expired");
      assertThat(watch.next()).isNull();
    }
  }

  @Test
  void aVersionOfAnotherRunIsAnswered410() throws Exception {
    long future = Long.parseLong(version()) + 1_000;
    try (WatchLines watch = raw.watch(MAPS + "?watch=1&resourceVersion=" + future)) {
      assertThat(watch.next().path("object").path("code").asInt()).isEqualTo(410);
    }
  }

  @Test
  void aWatchEndsAfterItsTime() throws Exception {
    try (WatchLines watch = raw.watch(MAPS + "?watch=1&timeoutSeconds=1")) {
      assertThat(watch.next()).isNull();
    }
    await().atMost(SOON).until(() -> server.watchCount() == 0);
  }

  @Test
  void aWatchEndsWhenItsClientDisconnects() throws Exception {
    WatchLines watch = raw.watch(MAPS + "?watch=1");
    await().atMost(SOON).until(() -> server.watchCount() == 1);
    watch.close();
    await().atMost(SOON).until(() -> server.watchCount() == 0);
  }

  @Test
  void rowsOfATableDescribeTheColumnsOnce() throws Exception {
    create("one");
    create("two");
    try (WatchLines watch =
        raw.watch(MAPS + "?watch=1", "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")) {
      JsonNode first = watch.next().path("object");
      assertThat(first.path("kind").asText()).isEqualTo("Table");
      assertThat(first.path("columnDefinitions")).hasSize(2);
      assertThat(watch.next().path("object").path("columnDefinitions")).isEmpty();
    }
  }

  @Test
  void manyWatchesLeaveRoomForRequests() throws Exception {
    List<WatchLines> watches = new ArrayList<>();
    try {
      for (int i = 0; i < 200; i++) {
        watches.add(raw.watch(MAPS + "?watch=1&resourceVersion=" + version()));
      }
      // The answer's head is sent before the server counts its watch.
      await().atMost(SOON).until(() -> server.watchCount() == 200);
      create("seen");
      for (WatchLines watch : watches) {
        assertThat(watch.nextInShort()).isEqualTo("ADDED seen");
      }
    } finally {
      for (WatchLines watch : watches) {
        watch.close();
      }
    }
  }

  @Test
  void aClientThatReadsNothingDelaysNobodyAndMissesNothing() throws Exception {
    String query = MAPS + "?watch=1&resourceVersion=" + version();
    // Far more than the socket's buffers take.
    int count = 40;
    String large = "x".repeat(500_000);
    try (WatchLines slow = raw.watch(query);
        WatchLines quick = raw.watch(query)) {
      for (int i = 0; i < count; i++) {
        String body =
            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"large-%d\"},\"data\":{\"key\":\"%s\"}}";
        assertThat(raw.post(MAPS, body.formatted(i, large)).code()).isEqualTo(201);
        assertThat(quick.nextInShort()).isEqualTo("ADDED large-" + i);
      }
      for (int i = 0; i < count; i++) {
        assertThat(slow.nextInShort()).isEqualTo("ADDED large-" + i);
      }
    }
  }

  private void create(String name) throws Exception {
    String body =
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\"},\"data\":{\"key\":\"value\"}}";
    assertThat(raw.post(MAPS, body.formatted(name)).code()).isEqualTo(201);
  }

  private String version() throws Exception {
    return Json.textAt(raw.get(MAPS).json(), "metadata", "resourceVersion");
  }
}
