package dev.vfio.migration.sandbox.apiserver.apply;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;

/** Who owns which fields of an object: metadata.managedFields, read into sets. Immutable. */
record ManagedFields(Map<Manager, Owned> owners) {
  static final ManagedFields NONE = new ManagedFields(Map.of());

  /**
   * An entry's identity.
   *
   * @param name as the client called itself
   * @param apply whether the fields came by server-side apply (else by any other write)
   * @param apiVersion in which version the fields were written
   * @param subresource for example {@code status}, empty for the object itself
   */
  record Manager(String name, boolean apply, String apiVersion, String subresource) {}

  /**
   * What an entry owns.
   *
   * @param fields the owned paths
   * @param time RFC 3339, of the last write that changed the entry; empty if unknown
   */
  record Owned(FieldSet fields, String time) {}

  ManagedFields {
    owners = Map.copyOf(owners);
  }

  static ManagedFields of(ObjectNode object) {
    Map<Manager, Owned> owners = new LinkedHashMap<>();
    for (JsonNode entry : Json.at(object, "metadata", "managedFields")) {
      if (entry.isEmpty()) {
        continue;
      }
      owners.put(
          new Manager(
              entry.path("manager").asText(""),
              entry.path("operation").asText("").equals("Apply"),
              entry.path("apiVersion").asText(""),
              entry.path("subresource").asText("")),
          new Owned(FieldSet.parse(entry.path("fieldsV1")), entry.path("time").asText("")));
    }
    return new ManagedFields(owners);
  }

  /**
   * Writes the entries into an object, applied ones first, then by time, as a kube-apiserver sorts
   * them.
   */
  void writeTo(ObjectNode object) {
    ObjectNode metadata = Json.metadata(object);
    if (owners.isEmpty()) {
      metadata.remove("managedFields");
      return;
    }
    ArrayNode entries = Json.array();
    owners.entrySet().stream()
        .sorted(
            Comparator.comparing((Map.Entry<Manager, Owned> entry) -> !entry.getKey().apply())
                .thenComparing(entry -> entry.getValue().time())
                .thenComparing(entry -> entry.getKey().name())
                .thenComparing(entry -> entry.getKey().subresource()))
        .forEach(
            entry -> {
              Manager manager = entry.getKey();
              ObjectNode node = entries.addObject();
              node.put("apiVersion", manager.apiVersion())
                  .put("fieldsType", "FieldsV1")
                  .set("fieldsV1", entry.getValue().fields().toFieldsV1());
              node.put("manager", manager.name())
                  .put("operation", manager.apply() ? "Apply" : "Update");
              if (!manager.subresource().isEmpty()) {
                node.put("subresource", manager.subresource());
              }
              if (!entry.getValue().time().isEmpty()) {
                node.put("time", entry.getValue().time());
              }
            });
    metadata.set("managedFields", entries);
  }

  FieldSet ownedBy(Manager manager) {
    Owned owned = owners.get(manager);
    return owned == null ? FieldSet.EMPTY : owned.fields();
  }

  FieldSet ownedByAnyone() {
    return owners.values().stream().map(Owned::fields).reduce(FieldSet.EMPTY, FieldSet::union);
  }

  /** The same with that manager's fields replaced; an empty set removes its entry. */
  ManagedFields with(Manager manager, FieldSet fields, String time) {
    Map<Manager, Owned> changed = new LinkedHashMap<>(owners);
    if (fields.isEmpty()) {
      changed.remove(manager);
    } else {
      changed.put(manager, new Owned(fields, time));
    }
    return new ManagedFields(changed);
  }
}
