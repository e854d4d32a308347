package dev.vfio.migration.sandbox.apiserver.table;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The JSONPath of additionalPrinterColumns, as far as such columns use it: {@code .a.b}, {@code
 * .a['b']}, {@code .a[0]}, {@code .a[*]}, {@code .a[?(@.type=="Ready")].status}; a dot inside a
 * name is written {@code \\.}. Immutable.
 */
public final class JsonPath {
  private static final Pattern STEP =
      Pattern.compile(
          "\\.(?<name>(?:[^.\\[\\\\]|\\\\.)+)"
              + "|\\[(?<quote>['\"])(?<quoted>.*?)\\k<quote>]"
              + "|\\[(?<index>\\d{1,9})]"
              + "|(?<every>\\[\\*])"
              + "|\\[\\?\\(@(?<left>\\..+?)==(?<mark>['\"])(?<right>.*?)\\k<mark>\\)]");

  private interface Step {
    void apply(JsonNode node, List<JsonNode> found);
  }

  private final List<Step> steps = new ArrayList<>();

  private JsonPath() {}

  /**
   * Reads a path.
   *
   * @throws IllegalArgumentException saying from where on it cannot be read
   */
  public static JsonPath parse(String path) {
    JsonPath parsed = new JsonPath();
    Matcher step = STEP.matcher(path);
    int at = 0;
    while (at < path.length() && step.find(at) && step.start() == at) {
      parsed.steps.add(step(step));
      at = step.end();
    }
    if (at == 0 || at < path.length()) {
      throw new IllegalArgumentException(
          "cannot read the JSONPath \"%s\" from position %d on".formatted(path, at));
    }
    return parsed;
  }

  /** Every value at the path, in the object's order. */
  public List<JsonNode> find(JsonNode root) {
    List<JsonNode> current = List.of(root);
    for (Step step : steps) {
      List<JsonNode> next = new ArrayList<>();
      current.forEach(node -> step.apply(node, next));
      current = next;
    }
    return current;
  }

  private static Step step(Matcher text) {
    if (text.group("every") != null) {
      return (node, found) -> node.forEach(found::add);
    }
    if (text.group("index") != null) {
      int index = Integer.parseInt(text.group("index"));
      return (node, found) -> addIfPresent(node.get(index), found);
    }
    if (text.group("left") != null) {
      JsonPath left = parse(text.group("left"));
      String right = text.group("right");
      return (node, found) ->
          node.forEach(
              item -> {
                if (left.find(item).stream().anyMatch(value -> value.asText().equals(right))) {
                  found.add(item);
                }
              });
    }
    String name = text.group("name") == null ? text.group("quoted") : text.group("name");
    String plain = name.replaceAll("\\\\(.)", "$1");
    return (node, found) -> addIfPresent(node.get(plain), found);
  }

  private static void addIfPresent(JsonNode node, List<JsonNode> found) {
    if (node != null) {
      found.add(node);
    }
  }
}
