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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Finishes what deletions begin, on one thread of its own: objects whose owners are gone, owners
 * that wait for their dependents, the content of namespaces, the objects of
 * CustomResourceDefinitions.
 */
public final class GarbageCollector implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(GarbageCollector.class.getName());

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
      thread.join(5_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** What is there at the start may wait for something that happened before a restart. */
  private void review(ObjectStore.Listing listing) {
    for (ObjectKey key : store.keys("")) {
      store
          .get(key)
          .ifPresent(
              object -> changes.add(new Change(listing.revision(), key, object, null, false)));
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
    if (change.deleted()) {
      releaseDependents(Json.textAt(object, "metadata", "uid"));
      reviewContainers(change.key());
      return;
    }
    deleteIfOwnersAreGone(change.key(), object);
    boolean deleting = !Json.textAt(object, "metadata", "deletionTimestamp").isEmpty();
    if (!deleting) {
      return;
    }
    if (hasFinalizer(object, Deletions.ORPHAN)) {
      String uid = Json.textAt(object, "metadata", "uid");
      dependents(uid).forEach(key -> deletions.removeOwner(key, uid));
      deletions.removeFinalizer(change.key(), Deletions.ORPHAN);
    }
    if (hasFinalizer(object, Deletions.FOREGROUND)) {
      deleteDependentsFirst(change.key(), Json.textAt(object, "metadata", "uid"));
    }
    if (change.key().storage().equals("namespaces")) {
      emptyNamespace(change.key());
    }
    if (hasFinalizer(object, Deletions.DEFINITION_CLEANUP)) {
      emptyDefinition(change.key());
    }
    for (JsonNode owner : Json.at(object, "metadata", "ownerReferences")) {
      owner(change.key(), owner).ifPresent(this::continueForeground);
    }
  }

  private void deleteIfOwnersAreGone(ObjectKey key, ObjectNode object) {
    JsonNode owners = Json.at(object, "metadata", "ownerReferences");
    boolean anyAlive = false;
    for (JsonNode owner : owners) {
      anyAlive |= owner(key, owner).isPresent();
    }
    if (!owners.isEmpty() && !anyAlive) {
      delete(key);
    }
  }

  private void releaseDependents(String uid) {
    for (ObjectKey key : dependents(uid)) {
      Optional<ObjectNode> dependent = store.get(key);
      if (dependent.isEmpty()) {
        continue;
      }
      boolean otherOwner = false;
      for (JsonNode owner : Json.at(dependent.get(), "metadata", "ownerReferences")) {
        otherOwner |= owner(key, owner).isPresent();
      }
      if (otherOwner) {
        deletions.removeOwner(key, uid);
      } else {
        delete(key);
      }
    }
  }

  private void deleteDependentsFirst(ObjectKey key, String uid) {
    boolean blocked = false;
    for (ObjectKey dependent : dependents(uid)) {
      delete(dependent);
      blocked |= store.get(dependent).filter(object -> blocks(object, uid)).isPresent();
    }
    if (!blocked) {
      deletions.removeFinalizer(key, Deletions.FOREGROUND);
    }
  }

  /** A dependent went, or is going: its namespace, definition or owner may be waiting for that. */
  private void reviewContainers(ObjectKey gone) {
    ObjectKey namespace = new ObjectKey("namespaces", "", gone.namespace());
    if (!gone.namespace().isEmpty() && isDeleting(namespace)) {
      emptyNamespace(namespace);
    }
    ObjectKey definition = new ObjectKey("customresourcedefinitions", "", gone.storage());
    if (isDeleting(definition)) {
      emptyDefinition(definition);
    }
    for (ObjectKey key : store.keys("")) {
      store
          .get(key)
          .filter(object -> hasFinalizer(object, Deletions.FOREGROUND))
          .ifPresent(this::continueForeground);
    }
  }

  private void continueForeground(ObjectNode owner) {
    if (!hasFinalizer(owner, Deletions.FOREGROUND)) {
      return;
    }
    String uid = Json.textAt(owner, "metadata", "uid");
    boolean blocked =
        dependents(uid).stream()
            .anyMatch(key -> store.get(key).filter(o -> blocks(o, uid)).isPresent());
    if (!blocked) {
      keyOf(owner).ifPresent(key -> deletions.removeFinalizer(key, Deletions.FOREGROUND));
    }
  }

  private void emptyNamespace(ObjectKey namespace) {
    List<ObjectKey> content = store.keys(namespace.name());
    content.forEach(this::deleteUnlessDeleting);
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
    List<ObjectKey> dependents = new ArrayList<>();
    for (ObjectKey key : store.keys("")) {
      store
          .get(key)
          .filter(object -> isOwnedBy(object, uid))
          .ifPresent(object -> dependents.add(key));
    }
    return dependents;
  }

  private Optional<ObjectNode> owner(ObjectKey dependent, JsonNode reference) {
    Optional<ResourceType> type =
        registry.findKind(Json.textAt(reference, "apiVersion"), Json.textAt(reference, "kind"));
    if (type.isEmpty()) {
      return Optional.empty();
    }
    String namespace = type.get().namespaced() ? dependent.namespace() : "";
    return store
        .get(new ObjectKey(type.get().storage(), namespace, Json.textAt(reference, "name")))
        .filter(
            owner -> Json.textAt(owner, "metadata", "uid").equals(Json.textAt(reference, "uid")));
  }

  private Optional<ObjectKey> keyOf(ObjectNode object) {
    return registry
        .findKind(Json.textAt(object, "apiVersion"), Json.textAt(object, "kind"))
        .map(
            type ->
                new ObjectKey(
                    type.storage(),
                    Json.textAt(object, "metadata", "namespace"),
                    Json.textAt(object, "metadata", "name")));
  }

  private boolean isDeleting(ObjectKey key) {
    return store
        .get(key)
        .filter(object -> !Json.textAt(object, "metadata", "deletionTimestamp").isEmpty())
        .isPresent();
  }

  private static boolean hasFinalizer(ObjectNode object, String wanted) {
    for (JsonNode finalizer : Json.at(object, "metadata", "finalizers")) {
      if (finalizer.asText().equals(wanted)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isOwnedBy(ObjectNode object, String uid) {
    for (JsonNode owner : Json.at(object, "metadata", "ownerReferences")) {
      if (owner.path("uid").asText().equals(uid)) {
        return true;
      }
    }
    return false;
  }

  private static boolean blocks(ObjectNode object, String uid) {
    for (JsonNode owner : Json.at(object, "metadata", "ownerReferences")) {
      if (owner.path("uid").asText().equals(uid)
          && owner.path("blockOwnerDeletion").asBoolean(false)) {
        return true;
      }
    }
    return false;
  }
}
