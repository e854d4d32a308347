package dev.vfio.migration.sandbox.apiserver.patch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.ListType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Strategic merge patch for built-in kinds, as {@code kubectl apply} and {@code kubectl cordon}
 * send it: a merge patch in which lists that are maps merge by their first key and lists that are
 * sets by value, with the directives that kubectl writes
 * (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md).
 */
final class StrategicMergePatch {
  private static final String DIRECTIVE = "$patch";
  private static final String RETAIN_KEYS = "$retainKeys";
  private static final String DELETE_FROM = "$deleteFromPrimitiveList/";
  private static final String ORDER = "$setElementOrder/";

  private StrategicMergePatch() {}

  /**
   * The patched object; the arguments are not changed.
   *
   * @throws IllegalArgumentException if the patch is not valid
   */
  static ObjectNode apply(JsonNode target, JsonNode patch, Schema schema) {
    ObjectNode result = target instanceof ObjectNode object ? object.deepCopy() : Json.object();
    if (patch.has(RETAIN_KEYS)) {
      result.retain(Json.texts(patch.get(RETAIN_KEYS)));
    }
    for (Map.Entry<String, JsonNode> entry : patch.properties()) {
      String name = entry.getKey();
      JsonNode value = entry.getValue();
      if (name.startsWith(DELETE_FROM)) {
        String field = name.substring(DELETE_FROM.length());
        result.set(field, without(result.path(field), value));
      } else if (name.startsWith("$")) {
        if (!name.equals(RETAIN_KEYS) && !name.startsWith(ORDER)) {
          throw new IllegalArgumentException("this server does not know the directive " + name);
        }
      } else if (value.isNull()) {
        result.remove(name);
      } else {
        result.set(name, merged(result.path(name), value, schema.field(name)));
      }
    }
    for (Map.Entry<String, JsonNode> entry : patch.properties()) {
      if (entry.getKey().startsWith(ORDER)) {
        String field = entry.getKey().substring(ORDER.length());
        if (result.get(field) instanceof ArrayNode list) {
          result.set(field, ordered(list, entry.getValue(), schema.field(field)));
        }
      }
    }
    return result;
  }

  private static JsonNode merged(JsonNode old, JsonNode patch, Schema schema) {
    if (patch.isObject() && !schema.atomicMap()) {
      return apply(old, patch, schema);
    }
    if (patch.isArray() && schema.listType() != ListType.ATOMIC) {
      return mergedLists(old, patch, schema);
    }
    return patch.deepCopy();
  }

  private static ArrayNode mergedLists(JsonNode old, JsonNode patch, Schema schema) {
    ArrayNode result = old instanceof ArrayNode list ? list.deepCopy() : Json.array();
    for (JsonNode item : patch) {
      int at = indexOf(result, item, schema);
      if (item.has(DIRECTIVE)) {
        if (!item.get(DIRECTIVE).asText().equals("delete")) {
          throw new IllegalArgumentException(
              "this server knows $patch: delete only, not " + item.get(DIRECTIVE));
        }
        if (at >= 0) {
          result.remove(at);
        }
      } else if (at < 0) {
        result.add(item.isObject() ? apply(Json.object(), item, schema.item()) : item);
      } else if (item.isObject()) {
        result.set(at, apply(result.get(at), item, schema.item()));
      }
    }
    return result;
  }

  private static ArrayNode ordered(ArrayNode list, JsonNode order, Schema schema) {
    List<JsonNode> rest = new ArrayList<>();
    list.forEach(rest::add);
    ArrayNode sorted = Json.array();
    for (JsonNode wanted : order) {
      int at = indexOf(rest, wanted, schema);
      if (at >= 0) {
        sorted.add(rest.remove(at));
      }
    }
    return sorted.addAll(rest);
  }

  private static ArrayNode without(JsonNode list, JsonNode items) {
    ArrayNode rest = Json.array();
    for (JsonNode item : list) {
      if (indexOf(items, item, Schema.UNKNOWN) < 0) {
        rest.add(item);
      }
    }
    return rest;
  }

  /** Where the list has the same item, by its key or by its value; -1 if it has none. */
  private static int indexOf(Iterable<JsonNode> list, JsonNode item, Schema schema) {
    String key = schema.listType() == ListType.MAP ? schema.listMapKeys().get(0) : "";
    if (!key.isEmpty() && Json.absent(item.get(key))) {
      throw new IllegalArgumentException(
          "map: %s does not contain declared merge key: %s".formatted(Json.text(item), key));
    }
    int at = 0;
    for (JsonNode each : list) {
      if (key.isEmpty() ? Json.same(each, item) : Json.same(each.get(key), item.get(key))) {
        return at;
      }
      at++;
    }
    return -1;
  }
}
