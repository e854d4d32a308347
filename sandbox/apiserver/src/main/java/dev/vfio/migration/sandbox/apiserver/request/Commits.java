package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.StaleRevisionException;

/**
 * The last step of a write: nothing if nothing changed, removal if the last finalizer went, else
 * the new content.
 */
final class Commits {
  private final ObjectStore store;

  Commits(ObjectStore store) {
    this.store = store;
  }

  /**
   * Stores a new version of an object.
   *
   * @param live the object as the writer saw it
   * @return the object as it is now, or as it was when it was removed
   */
  ObjectNode update(ObjectKey key, ObjectNode live, ObjectNode next, boolean dryRun)
      throws StaleRevisionException {
    if (Json.same(live, next) || onlyTimestampsDiffer(live, next)) {
      return live;
    }
    if (dryRun) {
      return next;
    }
    long expected = ObjectStore.revisionOf(live);
    return finished(next) ? store.remove(key, expected, next) : store.put(key, expected, next);
  }

  /** Whether nothing keeps a deleted object any more. */
  static boolean finished(ObjectNode object) {
    return !Json.textAt(object, "metadata", "deletionTimestamp").isEmpty()
        && Json.at(object, "metadata", "finalizers").isEmpty()
        && !(Json.textAt(object, "kind").equals("Namespace")
            && !Json.at(object, "spec", "finalizers").isEmpty());
  }

  /** A write that changes nothing but the times in managedFields is no change. */
  private static boolean onlyTimestampsDiffer(ObjectNode live, ObjectNode next) {
    return Json.same(withoutTimes(live), withoutTimes(next));
  }

  private static ObjectNode withoutTimes(ObjectNode object) {
    ObjectNode copy = object.deepCopy();
    Json.at(copy, "metadata", "managedFields")
        .forEach(entry -> ((ObjectNode) entry).remove("time"));
    return copy;
  }
}
