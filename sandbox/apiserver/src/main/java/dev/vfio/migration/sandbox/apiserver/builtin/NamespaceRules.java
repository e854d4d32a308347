package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;

/** A namespace is active until it is deleted, and carries its name as a label. */
final class NamespaceRules implements KindRules {
  private static final String NAME_LABEL = "kubernetes.io/metadata.name";

  @Override
  public void prepareCreate(ObjectNode object) {
    Json.child(object, "spec").putArray("finalizers").add("kubernetes");
    Json.child(object, "status").put("phase", "Active");
    label(object);
  }

  @Override
  public void prepareUpdate(ObjectNode live, ObjectNode next) {
    // Only the server empties this list, when nothing is left in the namespace.
    Json.child(next, "spec").set("finalizers", Json.at(live, "spec", "finalizers").deepCopy());
    label(next);
  }

  private static void label(ObjectNode object) {
    ObjectNode metadata = Json.metadata(object);
    Json.child(metadata, "labels").put(NAME_LABEL, Json.textAt(metadata, "name"));
  }
}
