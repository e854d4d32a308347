package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;

/**
 * Fills in the defaults that a schema declares, from the outside inwards, so that a default's own
 * fields get theirs too.
 */
public final class Defaulting {
  private Defaulting() {}

  /**
   * Changes the tree in place. A null in a field that is not nullable and has a default counts as
   * absent.
   */
  public static void apply(JsonNode value, Schema schema) {
    if (value instanceof ObjectNode object) {
      for (Map.Entry<String, Schema> property : schema.properties().entrySet()) {
        JsonNode present = object.get(property.getKey());
        Schema declared = property.getValue();
        boolean nullToReplace = present != null && present.isNull() && !declared.nullable();
        if (declared.defaultValue() != null && (present == null || nullToReplace)) {
          object.set(property.getKey(), declared.defaultValue().deepCopy());
        }
      }
      object.properties().forEach(entry -> apply(entry.getValue(), schema.field(entry.getKey())));
    } else if (value.isArray()) {
      value.forEach(item -> apply(item, schema.item()));
    }
  }
}
