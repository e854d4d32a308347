package dev.vfio.migration.sandbox.apiserver.watch;

import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.Exchange;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.ResponseStream;
import dev.vfio.migration.sandbox.apiserver.store.HistoryGoneException;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore.Subscription;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** All running watches. Safe for any thread. */
public final class Watches {
  private final ObjectStore store;
  private final Duration bookmarkInterval;
  private final Set<WatchSession> running = ConcurrentHashMap.newKeySet();

  /**
   * Without any watch yet.
   *
   * @param bookmarkInterval how often clients that want it are told how far they are
   */
  public Watches(ObjectStore store, Duration bookmarkInterval) {
    this.store = store;
    this.bookmarkInterval = bookmarkInterval;
  }

  /**
   * What a client wants to watch.
   *
   * @param storage the collection
   * @param namespace empty for all
   * @param after last revision the client knows; 0 to be given everything there is first
   * @param initialEvents whether to give everything there is first and mark its end by a bookmark
   * @param bookmarks whether the client understands bookmarks
   * @param timeout after which the watch ends
   */
  public record Wish(
      String storage,
      String namespace,
      long after,
      boolean initialEvents,
      boolean bookmarks,
      Duration timeout) {}

  /** Starts a watch as the answer to a request; the exchange is answered in any case. */
  public void start(Exchange exchange, Wish wish, WatchFilter filter) {
    ResponseStream stream = exchange.stream("application/json");
    WatchSession session = new WatchSession(stream, filter);
    Subscription subscription = subscribe(session, wish);
    running.add(session);
    stream.execute(
        () -> {
          stream.onWritable(session::drain);
          stream.onEnd(
              () -> {
                running.remove(session);
                subscription.close();
                session.ended();
              });
          stream.schedule(wish.timeout(), session::end);
          if (wish.bookmarks()) {
            scheduleBookmark(stream, session);
          }
        });
  }

  /** How many watches run. */
  public int count() {
    return running.size();
  }

  /** Ends every running watch, as a server does when it restarts. */
  public void endAll() {
    running.forEach(WatchSession::end);
  }

  private Subscription subscribe(WatchSession session, Wish wish) {
    if (wish.initialEvents() || wish.after() == 0) {
      return store.listAndSubscribe(
          wish.storage(),
          wish.namespace(),
          listing -> session.acceptInitial(listing, wish.initialEvents() && wish.bookmarks()),
          session::accept);
    }
    try {
      return store.subscribe(wish.storage(), wish.after(), session::accept);
    } catch (HistoryGoneException e) {
      ApiException failure = Failures.expired(e.getMessage());
      session.fail(failure);
      return store.none();
    }
  }

  private void scheduleBookmark(ResponseStream stream, WatchSession session) {
    stream.schedule(
        bookmarkInterval,
        () -> {
          if (running.contains(session)) {
            session.bookmark(store.revision());
            scheduleBookmark(stream, session);
          }
        });
  }
}
