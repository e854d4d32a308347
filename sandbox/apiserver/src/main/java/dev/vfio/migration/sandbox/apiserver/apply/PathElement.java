package dev.vfio.migration.sandbox.apiserver.apply;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * One step of a path in its FieldsV1 text form: {@code f:name} a field, {@code k:{"type":"Ready"}}
 * the list item with these keys, {@code v:"x"} an item of a set, {@code i:0} an item by position.
 * Text forms are canonical (keys sorted, no spaces), so that equal steps are equal texts.
 */
final class PathElement {
  private static final int PREFIX = 2;

  private PathElement() {}

  static String field(String name) {
    return "f:" + name;
  }

  static boolean isField(String element) {
    return element.startsWith("f:");
  }

  static String fieldName(String element) {
    return element.substring(PREFIX);
  }

  /**
   * The step to an item of a list that merges.
   *
   * @throws IllegalArgumentException if the item has not the keys that it is joined by
   */
  static String item(Schema list, JsonNode item) {
    return switch (list.listType()) {
      case SET -> {
        if (item.isContainerNode()) {
          throw new IllegalArgumentException(
              "a set may hold scalars only, this is " + Json.text(item));
        }
        yield "v:" + Json.text(item);
      }
      case MAP -> key(list, item);
      case ATOMIC -> throw new IllegalArgumentException("an atomic list has no items of their own");
    };
  }

  private static String key(Schema list, JsonNode item) {
    if (!item.isObject()) {
      throw new IllegalArgumentException(
          "associative list with keys has an element that is not an object");
    }
    Map<String, JsonNode> keys = new TreeMap<>();
    for (String key : list.listMapKeys()) {
      JsonNode value = item.get(key);
      if (Json.absent(value)) {
        value = list.item().field(key).defaultValue();
      }
      if (Json.absent(value)) {
        throw new IllegalArgumentException(
            "associative list with keys has an element that omits key field \""
                + key
                + "\" (and doesn't have default value)");
      }
      keys.put(key, value);
    }
    ObjectNode sorted = Json.object();
    keys.forEach(sorted::set);
    return "k:" + Json.text(sorted);
  }

  static String canonical(String element) {
    if (!element.startsWith("k:")) {
      return element;
    }
    Map<String, JsonNode> keys = new TreeMap<>();
    Json.parse(element.substring(PREFIX))
        .properties()
        .forEach(key -> keys.put(key.getKey(), key.getValue()));
    ObjectNode sorted = Json.object();
    keys.forEach(sorted::set);
    return "k:" + Json.text(sorted);
  }

  /** A path as error messages show it: {@code .spec.list[name="x"].field}. */
  static String display(List<String> path) {
    StringBuilder text = new StringBuilder();
    for (String element : path) {
      String content = element.substring(PREFIX);
      switch (element.charAt(0)) {
        case 'f' -> text.append('.').append(content);
        case 'v' -> text.append("[=").append(content).append(']');
        case 'k' ->
            text.append(
                Json.parse(content).properties().stream()
                    .map(key -> key.getKey() + "=" + Json.text(key.getValue()))
                    .collect(Collectors.joining(",", "[", "]")));
        default -> text.append('[').append(content).append(']');
      }
    }
    return text.toString();
  }
}
