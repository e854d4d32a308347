package dev.vfio.migration.sandbox.apiserver.table;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/**
 * The JSONPath that additionalPrinterColumns are written in: {@code .a.b}, {@code .a['b']}, {@code
 * .a[0]}, {@code .a[*]}, {@code .a[?(@.type=="Ready")].status}, {@code ..a}; a dot inside a name is
 * written {@code \.}. Immutable.
 */
public final class JsonPath {
  private interface Step {
    void apply(JsonNode node, List<JsonNode> found);
  }

  private final String text;
  private final List<Step> steps = new ArrayList<>();
  private int at;

  private JsonPath(String text) {
    this.text = text;
  }

  /**
   * Reads a path.
   *
   * @throws IllegalArgumentException saying what is wrong with it
   */
  public static JsonPath parse(String path) {
    String trimmed = path.trim();
    if (trimmed.startsWith("{") && trimmed.endsWith("}")) {
      trimmed = trimmed.substring(1, trimmed.length() - 1);
    }
    JsonPath parsed = new JsonPath(trimmed.startsWith("$") ? trimmed.substring(1) : trimmed);
    parsed.read();
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

  private void read() {
    if (text.isEmpty() || text.charAt(0) != '.' && text.charAt(0) != '[') {
      throw new IllegalArgumentException("a JSONPath starts with a dot: \"" + text + "\"");
    }
    while (at < text.length()) {
      if (text.startsWith("..", at)) {
        at += 2;
        String name = name();
        steps.add((node, found) -> found.addAll(node.findValues(name)));
      } else if (text.charAt(at) == '.') {
        at++;
        if (at >= text.length() || text.charAt(at) != '[') {
          field(name());
        }
      } else if (text.charAt(at) == '[') {
        bracket();
      } else {
        throw new IllegalArgumentException(
            "unexpected '%s' at position %d of \"%s\"".formatted(text.charAt(at), at, text));
      }
    }
  }

  private void field(String name) {
    if (name.equals("*")) {
      steps.add((node, found) -> node.forEach(found::add));
      return;
    }
    steps.add(
        (node, found) -> {
          if (node.has(name)) {
            found.add(node.get(name));
          }
        });
  }

  private String name() {
    StringBuilder name = new StringBuilder();
    while (at < text.length() && text.charAt(at) != '.' && text.charAt(at) != '[') {
      if (text.charAt(at) == '\\' && at + 1 < text.length()) {
        at++;
      }
      name.append(text.charAt(at++));
    }
    if (name.isEmpty()) {
      throw new IllegalArgumentException(
          "a name is missing at position %d of \"%s\"".formatted(at, text));
    }
    return name.toString();
  }

  private void bracket() {
    int end = closing();
    String inside = text.substring(at + 1, end).trim();
    at = end + 1;
    if (inside.startsWith("?(") && inside.endsWith(")")) {
      filter(inside.substring(2, inside.length() - 1).trim());
    } else if (inside.startsWith("'") || inside.startsWith("\"")) {
      field(inside.substring(1, inside.length() - 1).replace("\\.", "."));
    } else if (inside.equals("*")) {
      steps.add((node, found) -> node.forEach(found::add));
    } else {
      index(inside);
    }
  }

  private void index(String inside) {
    int index;
    try {
      index = Integer.parseInt(inside);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("cannot read [%s] in \"%s\"".formatted(inside, text), e);
    }
    steps.add(
        (node, found) -> {
          int position = index < 0 ? node.size() + index : index;
          if (node.isArray() && position >= 0 && position < node.size()) {
            found.add(node.get(position));
          }
        });
  }

  private void filter(String condition) {
    boolean equal = condition.contains("==");
    boolean unequal = condition.contains("!=");
    if (!equal && !unequal) {
      JsonPath present = parse(operand(condition));
      steps.add(
          (node, found) ->
              node.forEach(
                  item -> {
                    if (!present.find(item).isEmpty()) {
                      found.add(item);
                    }
                  }));
      return;
    }
    String[] sides = condition.split(equal ? "==" : "!=", 2);
    JsonPath left = parse(operand(sides[0].trim()));
    String right = sides[1].trim().replaceAll("^['\"]|['\"]$", "");
    steps.add(
        (node, found) ->
            node.forEach(
                item -> {
                  boolean same =
                      left.find(item).stream().anyMatch(value -> value.asText().equals(right));
                  if (same == equal) {
                    found.add(item);
                  }
                }));
  }

  private String operand(String side) {
    if (!side.startsWith("@")) {
      throw new IllegalArgumentException(
          "the condition \"%s\" must start with @ in \"%s\"".formatted(side, text));
    }
    return side.substring(1);
  }

  private int closing() {
    char quote = 0;
    for (int i = at + 1; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quote != 0) {
        quote = c == quote ? 0 : quote;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == ']') {
        return i;
      }
    }
    throw new IllegalArgumentException("unterminated [ in \"" + text + "\"");
  }

  @Override
  public String toString() {
    return text;
  }
}
