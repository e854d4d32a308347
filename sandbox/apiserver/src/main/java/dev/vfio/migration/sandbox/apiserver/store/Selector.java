package dev.vfio.migration.sandbox.apiserver.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Label and field selectors in the text form of the Kubernetes API. Immutable. */
public final class Selector implements Predicate<ObjectNode> {
  private static final Pattern SET_BASED =
      Pattern.compile("\\s*(\\S+)\\s+(in|notin)\\s*\\(([^)]*)\\)\\s*");
  private static final Pattern LABEL_KEY =
      Pattern.compile("([-a-zA-Z0-9.]+/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?");

  private final List<Predicate<ObjectNode>> requirements;

  private Selector(List<Predicate<ObjectNode>> requirements) {
    this.requirements = List.copyOf(requirements);
  }

  /** Both selectors of a request; empty texts match everything. */
  public static Selector of(String labelSelector, String fieldSelector, Set<String> fields) {
    List<Predicate<ObjectNode>> all = new ArrayList<>();
    for (String term : split(labelSelector)) {
      all.add(label(term));
    }
    for (String term : split(fieldSelector)) {
      all.add(field(term, fields));
    }
    return new Selector(all);
  }

  @Override
  public boolean test(ObjectNode object) {
    return requirements.stream().allMatch(requirement -> requirement.test(object));
  }

  private static Predicate<ObjectNode> label(String term) {
    Matcher set = SET_BASED.matcher(term);
    if (set.matches()) {
      String key = labelKey(set.group(1));
      List<String> values = Arrays.stream(set.group(3).split(",")).map(String::trim).toList();
      boolean wanted = set.group(2).equals("in");
      return object -> {
        JsonNode value = labelOf(object, key);
        return (value.isTextual() && values.contains(value.asText())) == wanted;
      };
    }
    if (term.contains("!=")) {
      String[] parts = term.split("!=", 2);
      String key = labelKey(parts[0]);
      String value = parts[1].trim();
      return object -> missing(object, key) || !labelOf(object, key).asText().equals(value);
    }
    if (term.contains("=")) {
      String[] parts = term.split("==?", 2);
      String key = labelKey(parts[0]);
      String value = parts[1].trim();
      return object -> !missing(object, key) && labelOf(object, key).asText().equals(value);
    }
    if (term.startsWith("!")) {
      String key = labelKey(term.substring(1));
      return object -> missing(object, key);
    }
    String key = labelKey(term);
    return object -> !missing(object, key);
  }

  private static Predicate<ObjectNode> field(String term, Set<String> fields) {
    boolean negated = term.contains("!=");
    String[] parts = term.split(negated ? "!=" : "==?", 2);
    if (parts.length != 2) {
      throw new IllegalArgumentException("invalid selector: '" + term + "'; can't understand");
    }
    String name = parts[0].trim();
    if (fields.stream().noneMatch(known -> matches(known, name))) {
      throw new IllegalArgumentException("field label not supported: " + name);
    }
    String value = parts[1].trim().replace("\\,", ",").replace("\\=", "=");
    String[] path = name.split("\\.");
    return object -> {
      JsonNode found = Json.at(object, path);
      String text = found.isMissingNode() || found.isNull() ? emptyOf(name) : found.asText();
      return text.equals(value) != negated;
    };
  }

  private static boolean matches(String known, String name) {
    return known.endsWith(".*")
        ? name.startsWith(known.substring(0, known.length() - 1))
        : known.equals(name);
  }

  private static String emptyOf(String fieldName) {
    return fieldName.equals("spec.unschedulable") ? "false" : "";
  }

  private static JsonNode labelOf(ObjectNode object, String key) {
    return Json.at(object, "metadata", "labels", key);
  }

  private static boolean missing(ObjectNode object, String key) {
    return labelOf(object, key).isMissingNode();
  }

  private static String labelKey(String raw) {
    String key = raw.trim();
    if (!LABEL_KEY.matcher(key).matches()) {
      throw new IllegalArgumentException(
          "unable to parse requirement: invalid label key \"" + key + "\"");
    }
    return key;
  }

  private static List<String> split(String selector) {
    List<String> terms = new ArrayList<>();
    if (selector == null || selector.isBlank()) {
      return terms;
    }
    StringBuilder term = new StringBuilder();
    int depth = 0;
    for (int i = 0; i < selector.length(); i++) {
      char c = selector.charAt(i);
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      boolean escaped = i > 0 && selector.charAt(i - 1) == '\\';
      if (c == ',' && depth == 0 && !escaped) {
        terms.add(term.toString().trim());
        term.setLength(0);
      } else {
        term.append(c);
      }
    }
    terms.add(term.toString().trim());
    terms.removeIf(String::isEmpty);
    return terms;
  }
}
