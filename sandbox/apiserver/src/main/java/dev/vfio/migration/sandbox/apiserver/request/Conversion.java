package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import java.util.List;

/**
 * Between the version in which an object is stored and the one that a path names. The versions of a
 * custom kind differ in their apiVersion only (conversion strategy None); events are stored as core
 * events and shown by both event groups.
 */
final class Conversion {
  private static final String EVENTS = "events.k8s.io";

  private record Rename(String core, String events) {}

  private static final List<Rename> EVENT_FIELDS =
      List.of(
          new Rename("involvedObject", "regarding"),
          new Rename("message", "note"),
          new Rename("source", "deprecatedSource"),
          new Rename("count", "deprecatedCount"),
          new Rename("firstTimestamp", "deprecatedFirstTimestamp"),
          new Rename("lastTimestamp", "deprecatedLastTimestamp"),
          new Rename("reportingComponent", "reportingController"));

  private Conversion() {}

  /** As the path's version shows it; the same tree if nothing differs. */
  static ObjectNode toServed(ObjectNode stored, ResourceType type) {
    if (Json.textAt(stored, "apiVersion").equals(type.apiVersion())) {
      return stored;
    }
    ObjectNode copy = stored.deepCopy();
    copy.put("apiVersion", type.apiVersion());
    if (type.group().equals(EVENTS)) {
      EVENT_FIELDS.forEach(field -> rename(copy, field.core(), field.events()));
    }
    return copy;
  }

  /** As it is stored; may change the tree in place. */
  static ObjectNode toStored(ObjectNode served, ResourceType type) {
    served.put("apiVersion", type.storageVersion());
    if (type.group().equals(EVENTS)) {
      EVENT_FIELDS.forEach(field -> rename(served, field.events(), field.core()));
    }
    return served;
  }

  private static void rename(ObjectNode object, String from, String to) {
    JsonNode value = object.remove(from);
    if (value != null) {
      object.set(to, value);
    }
  }
}
