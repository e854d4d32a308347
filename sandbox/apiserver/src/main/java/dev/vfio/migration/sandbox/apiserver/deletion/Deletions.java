package dev.vfio.migration.sandbox.apiserver.deletion;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.StaleRevisionException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * Deletes objects: at once, or by a deletionTimestamp while finalizers keep them. Pods are removed
 * at once too, whatever their grace period, because no kubelet stops them. Safe for any thread.
 */
public final class Deletions {
  /** The finalizer of an object that is removed after its dependents. */
  static final String FOREGROUND = "foregroundDeletion";

  /** The finalizer of an object whose dependents are to stay. */
  static final String ORPHAN = "orphan";

  /** The finalizer of a CustomResourceDefinition whose objects are removed first. */
  static final String DEFINITION_CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

  private static final int ATTEMPTS = 50;

  private final ObjectStore store;

  /** Deletes from this store. */
  public Deletions(ObjectStore store) {
    this.store = store;
  }

  /** What happens to the objects that an object owns. */
  public enum Propagation {
    /** They are removed after it. */
    BACKGROUND,
    /** They are removed before it. */
    FOREGROUND,
    /** They stay. */
    ORPHAN
  }

  /**
   * How to delete.
   *
   * @param propagation what happens to dependents
   * @param uid only if the object has this uid; empty for any
   * @param resourceVersion only if the object is in this version; empty for any
   * @param dryRun changes nothing
   */
  public record Options(
      Propagation propagation, String uid, String resourceVersion, boolean dryRun) {
    /** Dependents are removed later; no conditions. */
    public static final Options BACKGROUND = new Options(Propagation.BACKGROUND, "", "", false);
  }

  /**
   * What became of the object.
   *
   * @param object its last or its present content
   * @param removed whether it is no longer stored; else it waits for its finalizers
   */
  public record Outcome(ObjectNode object, boolean removed) {}

  /** Deletes an object; 404 if there is none, 409 if a condition does not hold. */
  public Outcome delete(ResourceType type, ObjectKey key, Options options) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      ObjectNode live = store.get(key).orElseThrow(() -> Failures.notFound(type, key.name()));
      check(type, key, live, options);
      ObjectNode next = live.deepCopy();
      ObjectNode metadata = Json.metadata(next);
      addFinalizers(type, metadata, options.propagation());
      boolean kept = isKept(next);
      boolean marked = !Json.textAt(metadata, "deletionTimestamp").isEmpty();
      if (!marked) {
        metadata.put("deletionTimestamp", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        metadata.put("deletionGracePeriodSeconds", 0);
        if (metadata.has("generation")) {
          metadata.put("generation", metadata.path("generation").asLong() + 1);
        }
        if (isNamespace(next)) {
          Json.child(next, "status").put("phase", "Terminating");
        }
      }
      if (options.dryRun() || kept && Json.same(live, next)) {
        return new Outcome(kept ? next : live, !kept);
      }
      try {
        long expected = ObjectStore.revisionOf(live);
        return kept
            ? new Outcome(store.put(key, expected, next), false)
            : new Outcome(store.remove(key, expected, live.deepCopy()), true);
      } catch (StaleRevisionException e) {
        // Somebody wrote in between: read again.
      }
    }
    throw Failures.stale(type, key.name());
  }

  /**
   * Takes a finalizer from an object, and removes the object if it was the last thing that kept it.
   */
  void removeFinalizer(ObjectKey key, String finalizer) {
    change(
        key,
        object -> {
          ArrayNode rest = Json.array();
          Json.at(object, "metadata", "finalizers")
              .forEach(
                  present -> {
                    if (!present.asText().equals(finalizer)) {
                      rest.add(present);
                    }
                  });
          setOrRemove(Json.metadata(object), "finalizers", rest);
        });
  }

  /** Says that nothing is left in a namespace. */
  void releaseNamespace(ObjectKey key) {
    change(key, object -> Json.child(object, "spec").putArray("finalizers"));
  }

  /** Takes the references to an owner from an object. */
  void removeOwner(ObjectKey key, String ownerUid) {
    change(
        key,
        object -> {
          ArrayNode rest = Json.array();
          Json.at(object, "metadata", "ownerReferences")
              .forEach(
                  owner -> {
                    if (!owner.path("uid").asText().equals(ownerUid)) {
                      rest.add(owner);
                    }
                  });
          setOrRemove(Json.metadata(object), "ownerReferences", rest);
        });
  }

  private interface Edit {
    void apply(ObjectNode object);
  }

  private void change(ObjectKey key, Edit edit) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      Optional<ObjectNode> live = store.get(key);
      if (live.isEmpty()) {
        return;
      }
      ObjectNode next = live.get().deepCopy();
      edit.apply(next);
      try {
        long expected = ObjectStore.revisionOf(live.get());
        boolean deleting = !Json.textAt(next, "metadata", "deletionTimestamp").isEmpty();
        if (deleting && !isKept(next)) {
          store.remove(key, expected, next);
        } else if (!Json.same(live.get(), next)) {
          store.put(key, expected, next);
        }
        return;
      } catch (StaleRevisionException e) {
        // Somebody wrote in between: read again.
      }
    }
    throw new IllegalStateException(
        key + " changed " + ATTEMPTS + " times while it was to be released");
  }

  private void addFinalizers(ResourceType type, ObjectNode metadata, Propagation propagation) {
    switch (propagation) {
      case BACKGROUND -> {}
      case FOREGROUND -> addFinalizer(metadata, FOREGROUND);
      case ORPHAN -> addFinalizer(metadata, ORPHAN);
    }
    boolean definition = type.storage().equals("customresourcedefinitions");
    boolean unmarked = Json.textAt(metadata, "deletionTimestamp").isEmpty();
    String name = Json.textAt(metadata, "name");
    if (definition && unmarked && !store.list(name, "", object -> true).objects().isEmpty()) {
      addFinalizer(metadata, DEFINITION_CLEANUP);
    }
  }

  private static void check(ResourceType type, ObjectKey key, ObjectNode live, Options options) {
    String uid = Json.textAt(live, "metadata", "uid");
    if (!options.uid().isEmpty() && !options.uid().equals(uid)) {
      throw Failures.conflict(
          type,
          key.name(),
          "Precondition failed: UID in precondition: %s, UID in object meta: %s"
              .formatted(options.uid(), uid));
    }
    String version = Json.textAt(live, "metadata", "resourceVersion");
    if (!options.resourceVersion().isEmpty() && !options.resourceVersion().equals(version)) {
      throw Failures.conflict(
          type,
          key.name(),
          "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s"
              .formatted(options.resourceVersion(), version));
    }
    if (type.storage().equals("namespaces")
        && (key.name().equals("default") || key.name().equals("kube-system"))) {
      throw Failures.forbidden(type, key.name(), "this namespace may not be deleted");
    }
  }

  private static boolean isKept(ObjectNode object) {
    return !Json.at(object, "metadata", "finalizers").isEmpty()
        || isNamespace(object) && !Json.at(object, "spec", "finalizers").isEmpty();
  }

  private static boolean isNamespace(ObjectNode object) {
    return Json.textAt(object, "kind").equals("Namespace")
        && Json.textAt(object, "apiVersion").equals("v1");
  }

  private static void addFinalizer(ObjectNode metadata, String finalizer) {
    ArrayNode finalizers =
        metadata.get("finalizers") instanceof ArrayNode present
            ? present
            : metadata.putArray("finalizers");
    for (JsonNode present : finalizers) {
      if (present.asText().equals(finalizer)) {
        return;
      }
    }
    finalizers.add(finalizer);
  }

  private static void setOrRemove(ObjectNode parent, String field, ArrayNode value) {
    if (value.isEmpty()) {
      parent.remove(field);
    } else {
      parent.set(field, value);
    }
  }
}
