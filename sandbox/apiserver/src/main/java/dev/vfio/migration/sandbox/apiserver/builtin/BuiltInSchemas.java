package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * What the server knows of the fields of built-in kinds, read from {@code built-in-schemas.yaml}:
 * which lists merge by which keys, and the types of the fields that people most often write
 * wrongly. Everything else is kept as it comes.
 */
final class BuiltInSchemas {
  private static final String FILE = "built-in-schemas.yaml";
  private static final JsonNode KINDS = load();

  private BuiltInSchemas() {}

  /** The schema of a kind; one that knows no field for kinds the file does not name. */
  static ObjectNode of(String kind) {
    ObjectNode schema = Json.object();
    schema.put("type", "object").put("x-kubernetes-preserve-unknown-fields", true);
    ObjectNode properties = schema.putObject("properties");
    KINDS
        .path(kind)
        .properties()
        .forEach(field -> properties.set(field.getKey(), expand(field.getValue())));
    return schema;
  }

  /**
   * The file's short form: a text is a type ({@code string}), {@code map:KEY,KEY} in {@code merge}
   * makes a list that merges by keys, {@code set} one of values, {@code list} one that is replaced
   * whole, {@code atomic} a map that is replaced whole; {@code fields} are the fields of the object
   * or of the list's items; a text starting with {@code $} is the name of another entry.
   */
  private static ObjectNode expand(JsonNode shortForm) {
    ObjectNode schema = Json.object();
    if (shortForm.isTextual()) {
      String text = shortForm.asText();
      if (text.startsWith("$")) {
        return expand(KINDS.path(text.substring(1)));
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
      schema.put("x-kubernetes-patch-merge-key", keys[0]);
    } else if (merge.equals("set")) {
      schema.put("x-kubernetes-list-type", "set").put("x-kubernetes-patch-strategy", "merge");
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
        .forEach(value -> setDefault(properties, value.getKey(), value.getValue()));
    return schema;
  }

  private static void setDefault(ObjectNode properties, String field, JsonNode value) {
    Json.child(properties, field).set("default", value);
  }

  private static JsonNode load() {
    try (InputStream file = BuiltInSchemas.class.getResourceAsStream(FILE)) {
      if (file == null) {
        throw new IllegalStateException(
            FILE + " is not on the class path beside " + BuiltInSchemas.class);
      }
      return new YAMLMapper().readTree(file);
    } catch (IOException e) {
      throw new UncheckedIOException(FILE + " cannot be read", e);
    }
  }
}
