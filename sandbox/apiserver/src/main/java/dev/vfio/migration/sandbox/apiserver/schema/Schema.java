package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A structural schema (OpenAPI v3 as a CustomResourceDefinition holds it), read into a tree.
 * Immutable.
 *
 * @param type {@code object}, {@code array}, {@code string}, {@code integer}, {@code number},
 *     {@code boolean}, or empty
 * @param properties named fields, in the order of the text
 * @param additional schema of the values of other fields, null if there is none
 * @param items schema of list items, null if there is none
 * @param defaultValue null if there is none
 * @param nullable whether null is a value
 * @param preserveUnknown x-kubernetes-preserve-unknown-fields
 * @param embedded x-kubernetes-embedded-resource
 * @param intOrString x-kubernetes-int-or-string
 * @param listType how lists merge
 * @param listMapKeys x-kubernetes-list-map-keys
 * @param atomicMap x-kubernetes-map-type is atomic
 * @param format for example {@code date-time}, empty if there is none
 * @param rules x-kubernetes-validations
 * @param raw the text it was read from
 */
public record Schema(
    String type,
    Map<String, Schema> properties,
    Schema additional,
    Schema items,
    JsonNode defaultValue,
    boolean nullable,
    boolean preserveUnknown,
    boolean embedded,
    boolean intOrString,
    ListType listType,
    List<String> listMapKeys,
    boolean atomicMap,
    String format,
    List<Rule> rules,
    JsonNode raw) {

  /** How lists merge: replaced whole, joined by keys, or a set of values. */
  public enum ListType {
    ATOMIC,
    MAP,
    SET
  }

  /**
   * One entry of x-kubernetes-validations.
   *
   * @param rule CEL expression
   * @param message fixed text, empty if there is none
   * @param messageExpression CEL expression that makes the text, empty if there is none
   * @param reason for example {@code FieldValueForbidden}, empty for the usual {@code
   *     FieldValueInvalid}
   * @param fieldPath path below the schema's own, for example {@code .spec.x}, empty if there is
   *     none
   * @param optionalOldSelf whether the rule wants oldSelf as an optional value; such rules are
   *     refused
   */
  public record Rule(
      String rule,
      String message,
      String messageExpression,
      String reason,
      String fieldPath,
      boolean optionalOldSelf) {}

  /** The schema of an undeclared field: every value is valid, maps merge, lists are replaced. */
  public static final Schema UNKNOWN =
      parse(Json.object().put("x-kubernetes-preserve-unknown-fields", true));

  /** Reads a schema; fields it does not know are kept in {@link #raw} only. */
  public static Schema parse(JsonNode node) {
    Map<String, Schema> properties = new LinkedHashMap<>();
    node.path("properties")
        .properties()
        .forEach(property -> properties.put(property.getKey(), parse(property.getValue())));
    List<Rule> rules = new ArrayList<>();
    for (JsonNode rule : node.path("x-kubernetes-validations")) {
      rules.add(
          new Rule(
              rule.path("rule").asText(""),
              rule.path("message").asText(""),
              rule.path("messageExpression").asText(""),
              rule.path("reason").asText(""),
              rule.path("fieldPath").asText(""),
              rule.path("optionalOldSelf").asBoolean(false)));
    }
    JsonNode additional = node.path("additionalProperties");
    return new Schema(
        node.path("type").asText(""),
        Collections.unmodifiableMap(properties),
        additional.isObject() ? parse(additional) : additional.asBoolean(false) ? UNKNOWN : null,
        node.path("items").isObject() ? parse(node.path("items")) : null,
        node.has("default") ? node.get("default") : null,
        node.path("nullable").asBoolean(false),
        node.path("x-kubernetes-preserve-unknown-fields").asBoolean(false),
        node.path("x-kubernetes-embedded-resource").asBoolean(false),
        node.path("x-kubernetes-int-or-string").asBoolean(false),
        switch (node.path("x-kubernetes-list-type").asText("")) {
          case "map" -> ListType.MAP;
          case "set" -> ListType.SET;
          default -> ListType.ATOMIC;
        },
        Json.texts(node.path("x-kubernetes-list-map-keys")),
        node.path("x-kubernetes-map-type").asText("").equals("atomic"),
        node.path("format").asText(""),
        List.copyOf(rules),
        node);
  }

  /** The schema of a field: the named one, that of other fields, or one that knows nothing. */
  public Schema field(String name) {
    Schema named = properties.get(name);
    if (named != null) {
      return named;
    }
    return additional != null ? additional : UNKNOWN;
  }

  /** The schema of list items, or one that knows nothing. */
  public Schema item() {
    return items != null ? items : UNKNOWN;
  }

  /** Whether a field of that name may be there. */
  public boolean allows(String name) {
    return preserveUnknown || additional != null || properties.containsKey(name);
  }

  /** The same schema for a whole object: with the metadata that every Kubernetes object has. */
  public static Schema ofObject(JsonNode declared) {
    ObjectNode root = declared instanceof ObjectNode object ? object.deepCopy() : Json.object();
    ObjectNode properties = Json.child(root, "properties");
    properties.set("metadata", ObjectMetadata.schemaText());
    properties.putObject("apiVersion").put("type", "string");
    properties.putObject("kind").put("type", "string");
    return parse(root);
  }
}
