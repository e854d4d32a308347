package dev.vfio.migration.sandbox.apiserver.watch;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ResponseStream;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.store.Change;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The queue between the store and one client that watches. */
class WatchSessionTest {
  private static final WatchFilter EVERYTHING =
      new WatchFilter() {
        @Override
        public boolean matches(ObjectNode object) {
          return true;
        }

        @Override
        public ObjectNode present(ObjectNode object, boolean first) {
          return object;
        }

        @Override
        public ObjectNode bookmark(long revision) {
          return Json.object().put("revision", revision);
        }
      };

  /** A client that takes data only when the test says so; its thread is the test's. */
  private static final class Client implements ResponseStream {
    private final List<String> lines = new ArrayList<>();
    private boolean writable;
    private boolean ended;

    @Override
    public void write(byte[] bytes) {
      lines.add(new String(bytes, StandardCharsets.UTF_8));
    }

    @Override
    public boolean writable() {
      return writable;
    }

    @Override
    public void end() {
      ended = true;
    }

    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    public void onWritable(Runnable callback) {}

    @Override
    public void onEnd(Runnable callback) {}
  }

  private final Client client = new Client();
  private final WatchSession session = new WatchSession(client, EVERYTHING);

  @Test
  void nothingIsWrittenUntilTheClientTakesIt() {
    session.accept(change(1));
    session.accept(change(2));
    assertThat(client.lines).isEmpty();
    client.writable = true;
    session.drain();
    assertThat(client.lines).hasSize(2);
    assertThat(client.ended).isFalse();
  }

  @Test
  void aClientThatFallsTooFarBehindIsCutOff() {
    for (int i = 1; i <= WatchSession.MAX_QUEUED; i++) {
      session.accept(change(i));
    }
    assertThat(client.ended).isFalse();
    session.accept(change(WatchSession.MAX_QUEUED + 1));
    assertThat(client.ended).isTrue();
    assertThat(client.lines).isEmpty();
  }

  private static Change change(long revision) {
    return new Change(revision, new ObjectKey("things", "ns", "a"), Json.object(), null, false);
  }
}
