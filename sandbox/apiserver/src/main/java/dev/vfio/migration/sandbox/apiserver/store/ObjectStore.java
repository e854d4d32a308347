package dev.vfio.migration.sandbox.apiserver.store;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * All objects, in memory, under one revision counter, with the recent history that watches start
 * from. Objects handed out are shared and must not be changed.
 *
 * <p>Safe for any thread. Listeners are called in the order of the revisions, one at a time, under
 * the store's lock: they must only pass the change on.
 */
public final class ObjectStore implements AutoCloseable {
  private final NavigableMap<ObjectKey, ObjectNode> objects = new TreeMap<>();
  private final Deque<Change> history = new ArrayDeque<>();
  private final List<Subscription> subscriptions = new CopyOnWriteArrayList<>();
  private final int historyLimit;

  /** Null for a store in memory only. */
  private final Journal journal;

  private long revision;
  private long oldestKnown;

  /**
   * An empty store.
   *
   * @param historyLimit how many changes are kept for watches that start in the past, at least 1
   * @param firstRevision the revision of the empty store, at least 1. A server that keeps nothing
   *     over a restart takes a higher one each time, so that a client of its last run gets the
   *     error "too old" and misses no change
   */
  public ObjectStore(int historyLimit, long firstRevision) {
    if (historyLimit < 1 || firstRevision < 1) {
      throw new IllegalArgumentException(
          "history limit %d and first revision %d must be at least 1"
              .formatted(historyLimit, firstRevision));
    }
    this.historyLimit = historyLimit;
    this.revision = firstRevision;
    this.oldestKnown = firstRevision;
    this.journal = null;
  }

  /**
   * A store that keeps its objects in a directory, with those that are there.
   *
   * @throws IOException if the directory cannot be used
   */
  public ObjectStore(int historyLimit, long firstRevision, Path directory) throws IOException {
    this.historyLimit = historyLimit;
    Journal.Restored restored = Journal.open(directory);
    this.objects.putAll(restored.objects());
    this.revision = Math.max(firstRevision, restored.revision() + 1);
    this.oldestKnown = revision;
    this.journal = restored.journal();
  }

  /**
   * Objects at one revision.
   *
   * @param revision the store's revision when they were read
   * @param objects sorted by namespace and name
   */
  public record Listing(long revision, List<ObjectNode> objects) {}

  /** A running subscription. */
  public final class Subscription implements AutoCloseable {
    private final String storage;
    private final Consumer<Change> listener;

    private Subscription(String storage, Consumer<Change> listener) {
      this.storage = storage;
      this.listener = listener;
    }

    @Override
    public void close() {
      subscriptions.remove(this);
    }
  }

  /** The object, if it is there. */
  public synchronized Optional<ObjectNode> get(ObjectKey key) {
    return Optional.ofNullable(objects.get(key));
  }

  /**
   * The objects of a collection.
   *
   * @param namespace only of this namespace; empty for all
   */
  public synchronized Listing list(String storage, String namespace, Predicate<ObjectNode> wanted) {
    List<ObjectNode> found = new ArrayList<>();
    for (var entry : objects.tailMap(new ObjectKey(storage, namespace, ""), true).entrySet()) {
      ObjectKey key = entry.getKey();
      if (!key.storage().equals(storage)
          || (!namespace.isEmpty() && !key.namespace().equals(namespace))) {
        break;
      }
      if (wanted.test(entry.getValue())) {
        found.add(entry.getValue());
      }
    }
    return new Listing(revision, List.copyOf(found));
  }

  /** All keys of a namespace in every collection, or with an empty name every key there is. */
  public synchronized List<ObjectKey> keys(String namespace) {
    return objects.keySet().stream()
        .filter(key -> namespace.isEmpty() || key.namespace().equals(namespace))
        .toList();
  }

  /**
   * Writes an object if nobody wrote it in between, and gives it its new resourceVersion.
   *
   * @param expected revision of the object as the writer saw it; 0 if it was absent
   * @param object the new content, owned by the store from now on
   * @return the stored object
   * @throws StaleRevisionException if the object is in another revision
   */
  public synchronized ObjectNode put(ObjectKey key, long expected, ObjectNode object)
      throws StaleRevisionException {
    ObjectNode previous = expect(key, expected);
    revision++;
    Json.metadata(object).put("resourceVersion", Long.toString(revision));
    objects.put(key, object);
    publish(new Change(revision, key, object, previous, false));
    return object;
  }

  /**
   * Removes an object if nobody wrote it in between.
   *
   * @param last its last content, as deletion events show it; owned by the store from now on
   * @return the last content with the deletion's resourceVersion
   * @throws StaleRevisionException if the object is in another revision
   */
  public synchronized ObjectNode remove(ObjectKey key, long expected, ObjectNode last)
      throws StaleRevisionException {
    ObjectNode previous = expect(key, expected);
    revision++;
    Json.metadata(last).put("resourceVersion", Long.toString(revision));
    objects.remove(key);
    publish(new Change(revision, key, last, previous, true));
    return last;
  }

  /** The newest revision. */
  public synchronized long revision() {
    return revision;
  }

  /** Forgets the history, so that a watch from any earlier revision gets the error "too old". */
  public synchronized void forgetHistory() {
    history.clear();
    // One revision that nobody can have seen, so that even a client that is up to date must list
    // again.
    revision++;
    oldestKnown = revision;
  }

  /**
   * Passes on every change of a collection after a revision, the past ones at once.
   *
   * @param storage the collection; empty for all
   * @param after the last revision the listener knows
   * @throws HistoryGoneException if changes after that revision are no longer known, or if the
   *     revision is not this store's
   */
  public synchronized Subscription subscribe(String storage, long after, Consumer<Change> listener)
      throws HistoryGoneException {
    if (after < oldestKnown || after > revision) {
      throw new HistoryGoneException(after, oldestKnown);
    }
    Subscription subscription = new Subscription(storage, listener);
    for (Change change : history) {
      if (change.revision() > after) {
        deliver(subscription, change);
      }
    }
    subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Lists a collection and passes on every later change, with no gap between the two.
   *
   * @param storage the collection; empty for all
   * @param listed is given the objects first
   */
  public synchronized Subscription listAndSubscribe(
      String storage, String namespace, Consumer<Listing> listed, Consumer<Change> listener) {
    listed.accept(list(storage, namespace, object -> true));
    Subscription subscription = new Subscription(storage, listener);
    subscriptions.add(subscription);
    return subscription;
  }

  @Override
  public synchronized void close() throws IOException {
    if (journal != null) {
      journal.close();
    }
  }

  /** A subscription that never receives a change. */
  public Subscription none() {
    return new Subscription("", change -> {});
  }

  /** The revision that an object carries. */
  public static long revisionOf(ObjectNode object) {
    return Long.parseLong(Json.textAt(object, "metadata", "resourceVersion"));
  }

  private ObjectNode expect(ObjectKey key, long expected) throws StaleRevisionException {
    ObjectNode previous = objects.get(key);
    long found = previous == null ? 0 : revisionOf(previous);
    if (found != expected) {
      throw new StaleRevisionException(key, expected, found);
    }
    return previous;
  }

  private void publish(Change change) {
    if (journal != null) {
      journal.append(change);
    }
    history.addLast(change);
    while (history.size() > historyLimit) {
      oldestKnown = history.removeFirst().revision();
    }
    for (Subscription subscription : subscriptions) {
      deliver(subscription, change);
    }
  }

  private static void deliver(Subscription subscription, Change change) {
    if (subscription.storage.isEmpty() || subscription.storage.equals(change.key().storage())) {
      subscription.listener.accept(change);
    }
  }
}
