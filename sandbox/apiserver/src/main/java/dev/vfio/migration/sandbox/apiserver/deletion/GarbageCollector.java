package dev.vfio.migration.sandbox.apiserver.deletion;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions.Options;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.Change;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore.Subscription;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Finishes what deletions begin, on one thread of its own: objects without a living owner, owners
 * that wait for their dependents, the content of namespaces, the objects of
 * CustomResourceDefinitions.
 */
public final class GarbageCollector implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(GarbageCollector.class.getName());
  private static final int END_TIMEOUT_MILLISECONDS = 5_000;

  private final ObjectStore store;
  private final Registry registry;
  private final Deletions deletions;
  private final BlockingQueue<Change> changes = new LinkedBlockingQueue<>();
  private final Subscription subscription;
  private final Thread thread;

  /** Starts to watch the store. */
  public GarbageCollector(ObjectStore store, Registry registry, Deletions deletions) {
    this.store = store;
    this.registry = registry;
    this.deletions = deletions;
    this.subscription = store.listAndSubscribe("", "", this::review, changes::add);
    this.thread = new Thread(this::run, "apiserver-garbage-collector");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() {
    subscription.close();
    thread.interrupt();
    try {
      thread.join(END_TIMEOUT_MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Objects of an earlier run may wait for something that happened before the restart. */
  private void review(ObjectStore.Listing listing) {
    for (ObjectKey key : store.keys("")) {
      ObjectNode object = store.get(key).orElseThrow();
      changes.add(new Change(listing.revision(), key, object, null, false));
    }
  }

  private void run() {
    try {
      while (true) {
        Change change = changes.take();
        try {
          handle(change);
        } catch (ApiException | IllegalStateException e) {
          LOG.log(
              System.Logger.Level.WARNING, "garbage collection of " + change.key() + " failed", e);
        }
      }
    } catch (InterruptedException e) {
      LOG.log(System.Logger.Level.DEBUG, "garbage collection ends");
    }
  }

  private void handle(Change change) {
    ObjectNode object = change.object();
    String uid = Json.textAt(object, "metadata", "uid");
    if (change.deleted()) {
      dependents(uid).forEach(key -> ownerDeleted(key, uid));
      reviewContainers(change.key());
      return;
    }
    if (owners(object).findAny().isPresent() && livingOwners(change.key(), object).isEmpty()) {
      delete(change.key());
    }
    if (!isDeleting(object)) {
      return;
    }
    if (hasFinalizer(object, Deletions.ORPHAN)) {
      dependents(uid).forEach(key -> deletions.removeOwner(key, uid));
      deletions.removeFinalizer(change.key(), Deletions.ORPHAN);
    }
    if (hasFinalizer(object, Deletions.FOREGROUND)) {
      dependents(uid).forEach(this::delete);
      continueForeground(change.key());
    }
    if (change.key().storage().equals("namespaces")) {
      emptyNamespace(change.key());
    }
    if (hasFinalizer(object, Deletions.DEFINITION_CLEANUP)) {
      emptyDefinition(change.key());
    }
    livingOwners(change.key(), object).forEach(this::continueForeground);
  }

  private void ownerDeleted(ObjectKey dependent, String ownerUid) {
    Optional<ObjectNode> object = store.get(dependent);
    if (object.isPresent() && livingOwners(dependent, object.get()).isEmpty()) {
      delete(dependent);
    } else {
      deletions.removeOwner(dependent, ownerUid);
    }
  }

  /** The namespace, definition or owner of a deleted object may be waiting for its deletion. */
  private void reviewContainers(ObjectKey deleted) {
    ObjectKey namespace = new ObjectKey("namespaces", "", deleted.namespace());
    if (isDeleting(namespace)) {
      emptyNamespace(namespace);
    }
    ObjectKey definition = new ObjectKey("customresourcedefinitions", "", deleted.storage());
    if (isDeleting(definition)) {
      emptyDefinition(definition);
    }
    store.keys("").forEach(this::continueForeground);
  }

  /** Takes the finalizer from an owner that no dependent blocks any more. */
  private void continueForeground(ObjectKey owner) {
    Optional<ObjectNode> object = store.get(owner);
    if (object.isEmpty() || !hasFinalizer(object.get(), Deletions.FOREGROUND)) {
      return;
    }
    String uid = Json.textAt(object.get(), "metadata", "uid");
    Predicate<JsonNode> blocks =
        reference -> refersTo(reference, uid) && reference.path("blockOwnerDeletion").asBoolean();
    if (keysWithOwner(blocks).isEmpty()) {
      deletions.removeFinalizer(owner, Deletions.FOREGROUND);
    }
  }

  private void emptyNamespace(ObjectKey namespace) {
    store.keys(namespace.name()).forEach(this::deleteUnlessDeleting);
    if (store.keys(namespace.name()).isEmpty()) {
      deletions.releaseNamespace(namespace);
    }
  }

  private void emptyDefinition(ObjectKey definition) {
    content(definition.name()).forEach(this::deleteUnlessDeleting);
    if (content(definition.name()).isEmpty()) {
      deletions.removeFinalizer(definition, Deletions.DEFINITION_CLEANUP);
    }
  }

  private List<ObjectKey> content(String storage) {
    return store.keys("").stream().filter(key -> key.storage().equals(storage)).toList();
  }

  private void deleteUnlessDeleting(ObjectKey key) {
    if (!isDeleting(key)) {
      delete(key);
    }
  }

  private void delete(ObjectKey key) {
    Optional<ResourceType> type = registry.findStorage(key.storage());
    if (type.isEmpty() || store.get(key).isEmpty()) {
      return;
    }
    try {
      deletions.delete(type.get(), key, Options.BACKGROUND);
    } catch (ApiException e) {
      if (e.code() != 404) {
        throw e;
      }
    }
  }

  private List<ObjectKey> dependents(String uid) {
    return keysWithOwner(reference -> refersTo(reference, uid));
  }

  private List<ObjectKey> keysWithOwner(Predicate<JsonNode> wanted) {
    return store.keys("").stream()
        .filter(key -> store.get(key).filter(o -> owners(o).anyMatch(wanted)).isPresent())
        .toList();
  }

  private List<ObjectKey> livingOwners(ObjectKey dependent, ObjectNode object) {
    return owners(object).flatMap(reference -> owner(dependent, reference).stream()).toList();
  }

  private Optional<ObjectKey> owner(ObjectKey dependent, JsonNode reference) {
    return registry
        .findKind(Json.textAt(reference, "apiVersion"), Json.textAt(reference, "kind"))
        .map(
            type ->
                new ObjectKey(
                    type.storage(),
                    type.namespaced() ? dependent.namespace() : "",
                    Json.textAt(reference, "name")))
        .filter(
            key ->
                store
                    .get(key)
                    .filter(owner -> refersTo(reference, Json.textAt(owner, "metadata", "uid")))
                    .isPresent());
  }

  private boolean isDeleting(ObjectKey key) {
    return store.get(key).filter(GarbageCollector::isDeleting).isPresent();
  }

  private static boolean isDeleting(ObjectNode object) {
    return !Json.textAt(object, "metadata", "deletionTimestamp").isEmpty();
  }

  private static boolean hasFinalizer(ObjectNode object, String wanted) {
    return Json.texts(Json.at(object, "metadata", "finalizers")).contains(wanted);
  }

  private static Stream<JsonNode> owners(ObjectNode object) {
    return StreamSupport.stream(
        Json.at(object, "metadata", "ownerReferences").spliterator(), false);
  }

  private static boolean refersTo(JsonNode reference, String uid) {
    return reference.path("uid").asText().equals(uid);
  }
}
