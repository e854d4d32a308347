package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;

/**
 * What the server knows of the fields of built-in kinds: which lists merge by which keys, and the
 * types of the fields that people most often write wrongly. Every other field is kept as it comes.
 */
final class BuiltInSchemas {
  private final JsonNode parts;

  /** With the parts that the short form refers to. */
  BuiltInSchemas(JsonNode parts) {
    this.parts = parts;
  }

  /** The schema of a kind with these fields. */
  ObjectNode of(JsonNode fields) {
    JsonNode declared =
        fields.isTextual() ? parts.path(fields.asText().substring(1)).path("fields") : fields;
    ObjectNode schema = Json.object();
    schema.put("type", "object").put("x-kubernetes-preserve-unknown-fields", true);
    ObjectNode properties = schema.putObject("properties");
    declared
        .properties()
        .forEach(field -> properties.set(field.getKey(), expand(field.getValue())));
    return schema;
  }

  /**
   * The file's short form: a text is a type ({@code string}), {@code map:KEY,KEY} in {@code merge}
   * makes a list that merges by keys, {@code set} one of values, {@code list} one that is replaced
   * whole, {@code atomic} a map that is replaced whole; {@code fields} are the fields of the object
   * or of the list's items; a text that starts with {@code $} names a part.
   */
  private ObjectNode expand(JsonNode shortForm) {
    ObjectNode schema = Json.object();
    if (shortForm.isTextual()) {
      String text = shortForm.asText();
      if (text.startsWith("$")) {
        return expand(parts.path(text.substring(1)));
      }
      if (text.equals("strings")) {
        schema.put("type", "object").putObject("additionalProperties").put("type", "string");
        return schema.put("nullable", true);
      }
      return schema.put("type", text).put("nullable", true);
    }
    String merge = shortForm.path("merge").asText("");
    ObjectNode object = schema;
    if (merge.startsWith("map:") || merge.equals("set") || merge.equals("list")) {
      schema.put("type", "array").put("nullable", true);
      if (merge.equals("list")) {
        return schema;
      }
      object = schema.putObject("items");
    }
    if (merge.startsWith("map:")) {
      String[] keys = merge.substring("map:".length()).split(",");
      schema.put("x-kubernetes-list-type", "map");
      ArrayNode names = schema.putArray("x-kubernetes-list-map-keys");
      for (String key : keys) {
        names.add(key);
      }
    } else if (merge.equals("set")) {
      schema.put("x-kubernetes-list-type", "set");
      object.put("type", "string");
      return schema;
    }
    object
        .put("type", "object")
        .put("x-kubernetes-preserve-unknown-fields", true)
        .put("nullable", true);
    if (merge.equals("atomic")) {
      object.put("x-kubernetes-map-type", "atomic");
    }
    ObjectNode properties = object.putObject("properties");
    shortForm
        .path("fields")
        .properties()
        .forEach(field -> properties.set(field.getKey(), expand(field.getValue())));
    shortForm
        .path("defaults")
        .properties()
        .forEach(value -> Json.child(properties, value.getKey()).set("default", value.getValue()));
    return schema;
  }
}
