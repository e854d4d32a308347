package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.ListType;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Lists that are sets or maps hold no item twice. */
final class ListRules {
  private ListRules() {}

  static void check(JsonNode value, Schema schema, String path, List<Cause> causes) {
    if (value.isObject()) {
      value
          .properties()
          .forEach(
              field ->
                  check(
                      field.getValue(),
                      schema.field(field.getKey()),
                      path.isEmpty() ? field.getKey() : path + "." + field.getKey(),
                      causes));
    } else if (value.isArray()) {
      Set<String> seen = new HashSet<>();
      for (int i = 0; i < value.size(); i++) {
        String at = path + "[" + i + "]";
        JsonNode identity = identity(value.get(i), schema);
        if (identity != null && !seen.add(Json.text(identity))) {
          causes.add(FieldErrors.duplicate(at, identity));
        }
        check(value.get(i), schema.item(), at, causes);
      }
    }
  }

  private static JsonNode identity(JsonNode item, Schema list) {
    if (list.listType() == ListType.SET) {
      return item;
    }
    if (list.listType() != ListType.MAP || !item.isObject()) {
      return null;
    }
    ObjectNode keys = Json.object();
    for (String key : list.listMapKeys()) {
      JsonNode value =
          Json.absent(item.get(key)) ? list.item().field(key).defaultValue() : item.get(key);
      if (value != null) {
        keys.set(key, value);
      }
    }
    return keys;
  }
}
