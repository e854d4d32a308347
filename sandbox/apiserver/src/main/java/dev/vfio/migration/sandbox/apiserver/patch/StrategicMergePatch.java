package dev.vfio.migration.sandbox.apiserver.patch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Strategic merge patch for built-in kinds: a merge patch in which known lists merge by a key, with
 * the directives $patch, $retainKeys, $deleteFromPrimitiveList and $setElementOrder
 * (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md).
 */
public final class StrategicMergePatch {
  private static final String DIRECTIVE = "$patch";
  private static final String RETAIN = "$retainKeys";
  private static final String DELETE_FROM = "$deleteFromPrimitiveList/";
  private static final String ORDER = "$setElementOrder/";

  private StrategicMergePatch() {}

  /**
   * The patched object; the arguments are not changed.
   *
   * @throws IllegalArgumentException if the patch makes no sense
   */
  public static JsonNode apply(JsonNode target, JsonNode patch, Schema schema) {
    if (!patch.isObject()) {
      return patch.deepCopy();
    }
    ObjectNode result = target instanceof ObjectNode object ? object.deepCopy() : Json.object();
    switch (patch.path(DIRECTIVE).asText("merge")) {
      case "merge" -> {}
      case "replace" -> {
        ObjectNode replacement = ((ObjectNode) patch).deepCopy();
        replacement.remove(DIRECTIVE);
        return replacement;
      }
      case "delete" -> {
        return Json.object();
      }
      default ->
          throw new IllegalArgumentException("unknown $patch directive " + patch.get(DIRECTIVE));
    }
    retain(result, patch.path(RETAIN));
    for (Map.Entry<String, JsonNode> entry : patch.properties()) {
      String name = entry.getKey();
      JsonNode value = entry.getValue();
      if (name.startsWith(DELETE_FROM)) {
        deleteItems(result, name.substring(DELETE_FROM.length()), value);
      } else if (name.startsWith("$")) {
        continue;
      } else if (value.isNull()) {
        result.remove(name);
      } else if (value.isArray()) {
        result.set(name, list(result.get(name), value, schema.field(name)));
      } else if (value.isObject() && !schema.field(name).atomicMap()) {
        result.set(name, apply(result.get(name), value, schema.field(name)));
      } else {
        result.set(name, value.deepCopy());
      }
    }
    patch
        .properties()
        .forEach(
            entry -> {
              if (entry.getKey().startsWith(ORDER)) {
                String name = entry.getKey().substring(ORDER.length());
                order(result, name, entry.getValue(), schema.field(name).patchMergeKey());
              }
            });
    return result;
  }

  private static void retain(ObjectNode object, JsonNode keys) {
    if (keys.isArray()) {
      List<String> kept = new ArrayList<>();
      keys.forEach(key -> kept.add(key.asText()));
      object.retain(kept);
    }
  }

  private static void deleteItems(ObjectNode object, String field, JsonNode items) {
    if (object.get(field) instanceof ArrayNode list) {
      ArrayNode rest = Json.array();
      list.forEach(
          item -> {
            if (!contains(items, item)) {
              rest.add(item);
            }
          });
      object.set(field, rest);
    }
  }

  private static JsonNode list(JsonNode target, JsonNode patch, Schema schema) {
    if (!(target instanceof ArrayNode old)) {
      return withoutDirectives(patch);
    }
    if (!schema.patchMergeKey().isEmpty()) {
      return mergeByKey(old, patch, schema);
    }
    boolean set = schema.raw().path("x-kubernetes-patch-strategy").asText("").equals("merge");
    if (!set) {
      return withoutDirectives(patch);
    }
    ArrayNode union = old.deepCopy();
    patch.forEach(
        item -> {
          if (!contains(union, item)) {
            union.add(item.deepCopy());
          }
        });
    return union;
  }

  private static ArrayNode mergeByKey(ArrayNode old, JsonNode patch, Schema schema) {
    String key = schema.patchMergeKey();
    for (JsonNode item : patch) {
      if (item.path(DIRECTIVE).asText("").equals("replace") && !item.has(key)) {
        return withoutDirectives(patch);
      }
    }
    ArrayNode merged = old.deepCopy();
    for (JsonNode item : patch) {
      if (Json.absent(item.get(key))) {
        throw new IllegalArgumentException(
            "map: %s does not contain declared merge key: %s".formatted(Json.text(item), key));
      }
      int at = indexOf(merged, key, item.get(key));
      if (item.path(DIRECTIVE).asText("").equals("delete")) {
        if (at >= 0) {
          merged.remove(at);
        }
      } else if (at >= 0) {
        merged.set(at, apply(merged.get(at), item, schema.item()));
      } else {
        merged.add(apply(Json.object(), item, schema.item()));
      }
    }
    return merged;
  }

  private static void order(ObjectNode object, String field, JsonNode order, String key) {
    if (!(object.get(field) instanceof ArrayNode list) || !order.isArray()) {
      return;
    }
    ArrayNode sorted = Json.array();
    List<JsonNode> rest = new ArrayList<>();
    list.forEach(rest::add);
    for (JsonNode wanted : order) {
      rest.stream()
          .filter(
              item ->
                  key.isEmpty()
                      ? Json.same(item, wanted)
                      : Json.same(item.get(key), wanted.get(key)))
          .findFirst()
          .ifPresent(
              item -> {
                sorted.add(item);
                rest.remove(item);
              });
    }
    rest.forEach(sorted::add);
    object.set(field, sorted);
  }

  private static ArrayNode withoutDirectives(JsonNode list) {
    ArrayNode clean = Json.array();
    for (JsonNode item : list) {
      if (item.path(DIRECTIVE).asText("").equals("delete")
          || item.path(DIRECTIVE).asText("").equals("replace") && item.size() == 1) {
        continue;
      }
      JsonNode copy = item.deepCopy();
      if (copy instanceof ObjectNode object) {
        object.remove(DIRECTIVE);
      }
      clean.add(copy);
    }
    return clean;
  }

  private static int indexOf(ArrayNode list, String key, JsonNode value) {
    for (int i = 0; i < list.size(); i++) {
      if (Json.same(list.get(i).get(key), value)) {
        return i;
      }
    }
    return -1;
  }

  private static boolean contains(JsonNode list, JsonNode value) {
    for (JsonNode item : list) {
      if (Json.same(item, value)) {
        return true;
      }
    }
    return false;
  }
}
