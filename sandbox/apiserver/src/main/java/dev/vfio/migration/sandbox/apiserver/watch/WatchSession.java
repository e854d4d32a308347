package dev.vfio.migration.sandbox.apiserver.watch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.ResponseStream;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.store.Change;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One client that watches. Changes come in under the store's lock, wait in a bounded queue, and are
 * written on the stream's thread while the client takes them. A watch whose queue is full is ended,
 * so that a slow client cannot hold memory; the client has to start again.
 */
final class WatchSession {
  static final int MAX_QUEUED = 10_000;
  private static final byte[] LINE_END = "\n".getBytes(StandardCharsets.UTF_8);

  private final ResponseStream stream;
  private final WatchFilter filter;
  private final ConcurrentLinkedQueue<Runnable> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicInteger queued = new AtomicInteger();
  private final AtomicBoolean scheduled = new AtomicBoolean();
  private long delivered;
  private boolean first = true;
  private boolean over;

  WatchSession(ResponseStream stream, WatchFilter filter) {
    this.stream = stream;
    this.filter = filter;
  }

  /** Called under the store's lock, in the order of the revisions. */
  void accept(Change change) {
    enqueue(
        () -> {
          delivered = change.revision();
          event(change).ifPresent(stream::write);
        });
  }

  /** Called under the store's lock, before any change. */
  void acceptInitial(ObjectStore.Listing listing) {
    enqueue(
        () -> {
          for (ObjectNode object : listing.objects()) {
            if (filter.matches(object)) {
              stream.write(line("ADDED", present(object)));
            }
          }
          delivered = listing.revision();
        });
  }

  /** Tells the client up to which revision it has seen everything. */
  void bookmark(long storeRevision) {
    enqueue(
        () -> {
          delivered = Math.max(delivered, storeRevision);
          stream.write(line("BOOKMARK", filter.bookmark(delivered)));
        });
  }

  /** Ends the watch with an error event. */
  void fail(ApiException failure) {
    enqueue(
        () -> {
          stream.write(line("ERROR", failure.status()));
          stream.end();
        });
  }

  /** Ends the watch; the client starts another one from the revision that it has reached. */
  void end() {
    stream.execute(stream::end);
  }

  /** On the stream's thread: nothing is written from now on. */
  void ended() {
    over = true;
    waiting.clear();
  }

  /** On the stream's thread: writes what waits, as long as the client takes it. */
  void drain() {
    scheduled.set(false);
    while (!over && stream.writable()) {
      Runnable next = waiting.poll();
      if (next == null) {
        return;
      }
      queued.decrementAndGet();
      next.run();
    }
  }

  private void enqueue(Runnable write) {
    if (queued.incrementAndGet() > MAX_QUEUED) {
      end();
      return;
    }
    waiting.add(write);
    if (scheduled.compareAndSet(false, true)) {
      stream.execute(this::drain);
    }
  }

  private Optional<byte[]> event(Change change) {
    boolean matched = change.previous() != null && filter.matches(change.previous());
    boolean matches = !change.deleted() && filter.matches(change.object());
    if (matches) {
      return Optional.of(line(matched ? "MODIFIED" : "ADDED", present(change.object())));
    }
    if (matched) {
      return Optional.of(line("DELETED", present(lastSeen(change))));
    }
    return Optional.empty();
  }

  /**
   * An object that left the selection is shown as it was when it was in it, with the revision of
   * its leaving.
   */
  private static ObjectNode lastSeen(Change change) {
    if (change.deleted()) {
      return change.object();
    }
    ObjectNode last = change.previous().deepCopy();
    Json.metadata(last).put("resourceVersion", Long.toString(change.revision()));
    return last;
  }

  private ObjectNode present(ObjectNode object) {
    ObjectNode shaped = filter.present(object, first);
    first = false;
    return shaped;
  }

  private static byte[] line(String type, JsonNode object) {
    ObjectNode event = Json.object().put("type", type);
    event.set("object", object);
    byte[] text = Json.bytes(event);
    byte[] line = java.util.Arrays.copyOf(text, text.length + LINE_END.length);
    System.arraycopy(LINE_END, 0, line, text.length, LINE_END.length);
    return line;
  }
}
