package dev.vfio.migration.sandbox.apiserver.watch;

import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.ResponseStream;
import dev.vfio.migration.sandbox.apiserver.store.HistoryGoneException;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore.Subscription;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** All running watches, and the thread of their bookmarks and timeouts. Safe for any thread. */
public final class Watches implements AutoCloseable {
  private final ObjectStore store;
  private final Duration bookmarkInterval;
  private final Set<WatchSession> running = ConcurrentHashMap.newKeySet();
  private final ScheduledThreadPoolExecutor timer;

  /**
   * Without any watch yet.
   *
   * @param bookmarkInterval how often a client that wants bookmarks gets one
   */
  public Watches(ObjectStore store, Duration bookmarkInterval) {
    this.store = store;
    this.bookmarkInterval = bookmarkInterval;
    this.timer =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "apiserver-watch-timer");
              thread.setDaemon(true);
              return thread;
            });
    timer.setRemoveOnCancelPolicy(true);
  }

  /**
   * What a client wants to watch.
   *
   * @param storage the collection
   * @param namespace empty for all
   * @param after last revision that the client knows; 0 to get all present objects first
   * @param bookmarks whether the client understands bookmarks
   * @param timeout after which the watch ends
   */
  public record Request(
      String storage, String namespace, long after, boolean bookmarks, Duration timeout) {}

  /** Starts a watch. Not to be called on the stream's thread. */
  public void start(ResponseStream stream, Request request, WatchFilter filter) {
    WatchSession session = new WatchSession(stream, filter);
    Subscription subscription = subscribe(session, request);
    running.add(session);
    List<Future<?>> timers = new ArrayList<>();
    timers.add(timer.schedule(session::end, request.timeout().toMillis(), TimeUnit.MILLISECONDS));
    if (request.bookmarks()) {
      long interval = bookmarkInterval.toMillis();
      timers.add(
          timer.scheduleWithFixedDelay(
              () -> session.bookmark(store.revision()), interval, interval, TimeUnit.MILLISECONDS));
    }
    stream.execute(
        () -> {
          stream.onWritable(session::drain);
          // The client may have taken everything before the callback was set.
          session.drain();
          stream.onEnd(
              () -> {
                running.remove(session);
                subscription.close();
                timers.forEach(each -> each.cancel(false));
                session.ended();
              });
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

  @Override
  public void close() {
    endAll();
    timer.shutdownNow();
  }

  private Subscription subscribe(WatchSession session, Request request) {
    if (request.after() == 0) {
      return store.listAndSubscribe(
          request.storage(), request.namespace(), session::acceptInitial, session::accept);
    }
    try {
      return store.subscribe(request.storage(), request.after(), session::accept);
    } catch (HistoryGoneException e) {
      session.fail(Failures.expired(e.getMessage()));
      return store.none();
    }
  }
}
