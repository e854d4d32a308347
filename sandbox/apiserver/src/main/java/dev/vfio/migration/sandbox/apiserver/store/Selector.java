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
import java.util.stream.Stream;

/** Label and field selectors in the text form of the Kubernetes API. Immutable. */
public final class Selector implements Predicate<ObjectNode> {
  private static final Pattern LABEL_TERM =
      Pattern.compile(
          "(?<not>!?)(?<key>([-a-zA-Z0-9.]+/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?)"
              + "(\\s*(?<operator>==?|!=)\\s*(?<value>[-a-zA-Z0-9_.]*)"
              + "|\\s+(?<set>in|notin)\\s*\\((?<values>[^)]*)\\))?");
  private static final Pattern FIELD_TERM =
      Pattern.compile("(?<name>[^=!\\s]+)\\s*(?<operator>==?|!=)\\s*(?<value>.*)");

  private final List<Predicate<ObjectNode>> requirements = new ArrayList<>();

  private Selector() {}

  /**
   * Both selectors of a request; empty texts match everything.
   *
   * @param fields names that a field selector may have; {@code a.*} stands for every field of a
   * @throws IllegalArgumentException saying what is wrong
   */
  public static Selector of(String labelSelector, String fieldSelector, Set<String> fields) {
    Selector selector = new Selector();
    terms(labelSelector, ",(?![^(]*\\))").forEach(term -> selector.requirements.add(label(term)));
    terms(fieldSelector, "(?<!\\\\),")
        .forEach(term -> selector.requirements.add(field(term, fields)));
    return selector;
  }

  @Override
  public boolean test(ObjectNode object) {
    return requirements.stream().allMatch(requirement -> requirement.test(object));
  }

  private static Stream<String> terms(String selector, String separator) {
    return Arrays.stream(selector.split(separator)).map(String::trim).filter(t -> !t.isEmpty());
  }

  private static Predicate<ObjectNode> label(String term) {
    Matcher parts = LABEL_TERM.matcher(term);
    if (!parts.matches()) {
      throw new IllegalArgumentException("unable to parse requirement: '" + term + "'");
    }
    String key = parts.group("key");
    if (parts.group("operator") == null && parts.group("set") == null) {
      boolean wanted = parts.group("not").isEmpty();
      return object -> Json.at(object, "metadata", "labels", key).isTextual() == wanted;
    }
    String values = parts.group("set") == null ? parts.group("value") : parts.group("values");
    List<String> known = Arrays.stream(values.split(",")).map(String::trim).toList();
    boolean wanted = !"!=".equals(parts.group("operator")) && !"notin".equals(parts.group("set"));
    return object -> {
      JsonNode value = Json.at(object, "metadata", "labels", key);
      return (value.isTextual() && known.contains(value.asText())) == wanted;
    };
  }

  private static Predicate<ObjectNode> field(String term, Set<String> fields) {
    Matcher parts = FIELD_TERM.matcher(term);
    if (!parts.matches()) {
      throw new IllegalArgumentException("invalid selector: '" + term + "'; can't understand");
    }
    String name = parts.group("name");
    if (!fields.contains(name) && !fields.contains(name.replaceFirst("\\..*", ".*"))) {
      throw new IllegalArgumentException("field label not supported: " + name);
    }
    String value = parts.group("value").replace("\\,", ",").replace("\\=", "=");
    String absent = name.equals("spec.unschedulable") ? "false" : "";
    boolean wanted = !parts.group("operator").equals("!=");
    return object -> {
      JsonNode found = Json.at(object, name.split("\\."));
      return (Json.absent(found) ? absent : found.asText()).equals(value) == wanted;
    };
  }
}
