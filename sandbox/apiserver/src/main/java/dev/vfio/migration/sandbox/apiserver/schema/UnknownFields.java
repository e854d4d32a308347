package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds and removes the fields that a schema does not declare, unless it says that they are to be
 * kept.
 */
public final class UnknownFields {
  private static final Schema METADATA = Schema.parse(ObjectMetadata.schemaText());

  private UnknownFields() {}

  /**
   * Removes them.
   *
   * @param object changed in place
   * @return their paths, for example {@code spec.sourc} or {@code spec.list[2].nam}
   */
  public static List<String> prune(ObjectNode object, Schema schema) {
    List<String> found = new ArrayList<>();
    walk(object, schema, "", found);
    return List.copyOf(found);
  }

  /** Their paths; nothing is changed. */
  public static List<String> find(ObjectNode object, Schema schema) {
    return prune(object.deepCopy(), schema);
  }

  private static void walk(JsonNode value, Schema schema, String path, List<String> found) {
    if (value instanceof ObjectNode object) {
      List<String> names = new ArrayList<>();
      object.fieldNames().forEachRemaining(names::add);
      for (String name : names) {
        String at = path.isEmpty() ? name : path + "." + name;
        if (schema.embedded() && (name.equals("apiVersion") || name.equals("kind"))) {
          continue;
        }
        if (schema.embedded() && name.equals("metadata")) {
          walk(object.get(name), METADATA, at, found);
        } else if (schema.allows(name)) {
          walk(object.get(name), schema.field(name), at, found);
        } else {
          object.remove(name);
          found.add(at);
        }
      }
    } else if (value.isArray()) {
      for (int i = 0; i < value.size(); i++) {
        walk(value.get(i), schema.item(), path + "[" + i + "]", found);
      }
    }
  }
}
