package dev.vfio.migration.sandbox.apiserver.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Revisions, history, selectors, and what a journal brings back. */
class ObjectStoreTest {
  private static final ObjectKey KEY = new ObjectKey("things", "ns", "a");

  @TempDir Path directory;

  @Test
  void aCommitNeedsTheRevisionThatIsThere() throws Exception {
    ObjectStore store = new ObjectStore(10, 1);
    long first = ObjectStore.revisionOf(store.put(KEY, 0, thing(1)));
    assertThatThrownBy(() -> store.put(KEY, 0, thing(2)))
        .isInstanceOf(StaleRevisionException.class);
    assertThatThrownBy(() -> store.remove(KEY, first + 1, thing(2)))
        .isInstanceOf(StaleRevisionException.class);
    long second = ObjectStore.revisionOf(store.put(KEY, first, thing(2)));
    assertThat(second).isGreaterThan(first);
    store.remove(KEY, second, thing(2));
    assertThat(store.get(KEY)).isEmpty();
  }

  @Test
  void aSubscriptionMissesNothingAfterItsRevision() throws Exception {
    ObjectStore store = new ObjectStore(10, 1);
    long first = ObjectStore.revisionOf(store.put(KEY, 0, thing(1)));
    store.put(KEY, first, thing(2));
    List<Long> seen = new ArrayList<>();
    try (var subscription =
        store.subscribe("things", first, change -> seen.add(change.revision()))) {
      store.put(new ObjectKey("others", "ns", "a"), 0, thing(3));
      store.put(new ObjectKey("things", "ns", "b"), 0, thing(4));
      assertThat(subscription).isNotNull();
    }
    store.put(new ObjectKey("things", "ns", "c"), 0, thing(5));
    assertThat(seen).containsExactly(first + 1, first + 3);
  }

  @Test
  void aRevisionOutsideTheHistoryIsRefused() throws Exception {
    ObjectStore store = new ObjectStore(2, 1);
    for (int i = 0; i < 4; i++) {
      store.put(new ObjectKey("things", "ns", "a" + i), 0, thing(i));
    }
    assertThatThrownBy(() -> store.subscribe("things", 2, change -> {}))
        .isInstanceOf(HistoryGoneException.class);
    assertThat(store.subscribe("things", 3, change -> {})).isNotNull();
    assertThatThrownBy(() -> store.subscribe("things", 99, change -> {}))
        .isInstanceOf(HistoryGoneException.class);
  }

  @Test
  void aJournalBringsBackWhatWasThere() throws Exception {
    long kept;
    try (ObjectStore store = new ObjectStore(10, 1, directory)) {
      kept = ObjectStore.revisionOf(store.put(KEY, 0, thing(1)));
      ObjectKey gone = new ObjectKey("things", "ns", "gone");
      store.remove(gone, ObjectStore.revisionOf(store.put(gone, 0, thing(2))), thing(2));
    }
    Path file = directory.resolve("objects.jsonl");
    Files.writeString(file, Files.readString(file) + "{\"revision\": 99, \"stor");
    try (ObjectStore store = new ObjectStore(10, 1, directory)) {
      assertThat(store.keys("")).containsExactly(KEY);
      assertThat(ObjectStore.revisionOf(store.get(KEY).orElseThrow())).isEqualTo(kept);
      assertThat(store.revision()).isGreaterThan(kept + 2);
    }
  }

  @Test
  void aFileThatIsNoJournalIsNotOverwritten() throws Exception {
    Path file = directory.resolve("objects.jsonl");
    Files.writeString(file, "not json\n{}\n");
    assertThatThrownBy(() -> new ObjectStore(10, 1, directory))
        .hasMessageContaining("objects.jsonl, line 1");
    assertThat(Files.readString(file)).startsWith("not json");
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "app=x | true",
        "app==x | true",
        "app!=x | false",
        "other!=x | true",
        "app | true",
        "!app | false",
        "!other | true",
        "app in (x,y) | true",
        "app notin (x) | false",
        "other notin (x) | true",
        "app=x,tier=y | false",
        "app in (a, x),tier | true",
      })
  void labelSelectorsSelect(String selector, boolean selected) {
    ObjectNode object = thing(1);
    ObjectNode labels = Json.child(Json.metadata(object), "labels");
    labels.put("app", "x").put("tier", "z");
    assertThat(Selector.of(selector, "", Set.of()).test(object)).isEqualTo(selected);
  }

  private static ObjectNode thing(int value) {
    ObjectNode object = Json.object();
    Json.metadata(object).put("name", "a");
    object.put("value", value);
    return object;
  }
}
