package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import java.util.List;

/** An event is in the namespace of the object that it is about. */
final class EventRules implements KindRules {
  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    String involved = Json.textAt(next, "involvedObject", "namespace");
    String namespace = Json.textAt(next, "metadata", "namespace");
    boolean matches = involved.isEmpty() ? namespace.equals("default") : involved.equals(namespace);
    if (matches || involved.isEmpty() && namespace.equals("kube-system")) {
      return List.of();
    }
    return List.of(
        FieldErrors.invalid(
            "involvedObject.namespace", involved, "does not match event.namespace"));
  }
}
