package dev.vfio.migration.sandbox.apiserver.faults;

import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.watch.Watches;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** Makes the server misbehave on purpose, for tests of its clients. Safe for any thread. */
public final class Faults {
  private final Watches watches;
  private final ObjectStore store;
  private final AtomicBoolean refusing;
  private final Runnable closeConnections;
  private final List<Planned> planned = new ArrayList<>();

  public Faults(
      Watches watches, ObjectStore store, AtomicBoolean refusing, Runnable closeConnections) {
    this.watches = watches;
    this.store = store;
    this.refusing = refusing;
    this.closeConnections = closeConnections;
  }

  /**
   * A write that is about to be served.
   *
   * @param method POST, PUT, PATCH or DELETE
   * @param resource plural name, for example {@code leases}
   * @param namespace empty for cluster-wide objects
   * @param name empty for creations and deletions of collections
   */
  public record Write(String method, String resource, String namespace, String name) {}

  private record Planned(Predicate<Write> which, int code, AtomicInteger left) {}

  /**
   * Fails the next writes without doing anything.
   *
   * @param times how many, at least 1
   * @param code HTTP status code, 400 to 599, for example 409 or 500
   */
  public void failWrites(int times, int code) {
    failWrites(times, code, write -> true);
  }

  /** Fails the next of certain writes. */
  public synchronized void failWrites(int times, int code, Predicate<Write> which) {
    if (times < 1 || code < 400 || code > 599) {
      throw new IllegalArgumentException("fail %d writes with code %d".formatted(times, code));
    }
    planned.add(new Planned(which, code, new AtomicInteger(times)));
  }

  /** Ends every running watch in good order; clients start new ones from where they are. */
  public void dropWatches() {
    watches.endAll();
  }

  /** Cuts every connection in the middle of whatever it carries. */
  public void cutConnections() {
    closeConnections.run();
  }

  /** While on, connections are closed without an answer, as if no server were there. */
  public void refuseConnections(boolean on) {
    refusing.set(on);
    if (on) {
      closeConnections.run();
    }
  }

  /**
   * Forgets the history, so that the next watch from any revision is answered by 410 Gone and its
   * client must list again.
   */
  public void forgetHistory() {
    store.forgetHistory();
    watches.endAll();
  }

  /** Cancels all planned failures and accepts connections again. */
  public synchronized void clear() {
    planned.clear();
    refusing.set(false);
  }

  /** Called before each write; throws the planned failure. */
  public synchronized void beforeWrite(
      String method, String resource, String namespace, String name) {
    Write write = new Write(method, resource, namespace, name);
    for (Planned plan : planned) {
      if (plan.which.test(write)) {
        if (plan.left.decrementAndGet() == 0) {
          planned.remove(plan);
        }
        throw Failures.of(plan.code, "failed on purpose: %s %s".formatted(method, resource));
      }
    }
  }
}
