package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * What a schema in a CustomResourceDefinition must and must not say, so that fields can be pruned,
 * defaulted and merged
 * (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
 */
public final class StructuralRules {
  private static final Set<String> TYPES =
      Set.of("object", "array", "string", "integer", "number", "boolean");
  private static final Set<String> FORBIDDEN =
      words(
          "$ref definitions dependencies deprecated discriminator id patternProperties readOnly"
              + " writeOnly xml additionalItems");

  /** What a kube-apiserver checks and this server does not: to ignore it would be a difference. */
  private static final Set<String> UNKNOWN_FORMATS =
      words(
          "byte bsonobjectid cidr creditcard date datetime duration email hexcolor hostname ipv4"
              + " ipv6 isbn isbn10 isbn13 mac rgbcolor ssn uri uuid uuid3 uuid4 uuid5");

  private static final Set<String> NOT_IN_JUNCTORS =
      words("default description nullable additionalProperties type title");

  private final List<Cause> causes = new ArrayList<>();

  private StructuralRules() {}

  /**
   * The broken rules of a whole schema.
   *
   * @param path where it stands, for example {@code spec.versions[0].schema.openAPIV3Schema}
   */
  public static List<Cause> check(JsonNode schema, String path) {
    StructuralRules rules = new StructuralRules();
    String type = schema.path("type").asText("");
    if (type.isEmpty()) {
      rules.causes.add(FieldErrors.required(path + ".type", "must not be empty at the root"));
    } else if (!type.equals("object")) {
      rules.causes.add(FieldErrors.invalid(path + ".type", type, "must be object at the root"));
    } else {
      rules.visit(schema, path, "");
    }
    return List.copyOf(rules.causes);
  }

  private void visit(JsonNode schema, String path, String where) {
    for (String word : FORBIDDEN) {
      if (schema.has(word)) {
        causes.add(FieldErrors.forbidden(path + "." + word, word + " is not supported"));
      }
    }
    type(schema, path, where);
    String format = schema.path("format").asText("");
    if (UNKNOWN_FORMATS.contains(format)) {
      causes.add(
          FieldErrors.forbidden(
              path + ".format", "this server does not check the format " + format));
    }
    pattern(schema.path("pattern"), path);
    if (schema.path("uniqueItems").asBoolean(false)) {
      causes.add(
          FieldErrors.forbidden(
              path + ".uniqueItems",
              "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
    }
    additional(schema, path);
    if (schema.has("x-kubernetes-preserve-unknown-fields")
        && !schema.get("x-kubernetes-preserve-unknown-fields").asBoolean(false)) {
      causes.add(
          FieldErrors.invalid(
              path + ".x-kubernetes-preserve-unknown-fields",
              schema.get("x-kubernetes-preserve-unknown-fields"),
              "must be true or undefined"));
    }
    for (String junctor : List.of("allOf", "anyOf", "oneOf")) {
      for (int i = 0; i < schema.path(junctor).size(); i++) {
        junctor(
            schema.get(junctor).get(i),
            path + "." + junctor + "[" + i + "]",
            isIntOrString(schema));
      }
    }
    junctor(schema.path("not"), path + ".not", false);
    lists(schema, path);
    defaultValue(schema, path);
    schema
        .path("properties")
        .properties()
        .forEach(
            field ->
                visit(
                    field.getValue(),
                    path + ".properties[" + field.getKey() + "]",
                    "for specified object fields"));
    if (schema.path("items").isObject()) {
      visit(schema.get("items"), path + ".items", "for specified array items");
    } else if (schema.path("type").asText().equals("array")) {
      causes.add(FieldErrors.required(path + ".items", "must be specified"));
    }
  }

  private void type(JsonNode schema, String path, String where) {
    String type = schema.path("type").asText("");
    boolean untypedAllowed =
        isIntOrString(schema)
            || schema.path("x-kubernetes-preserve-unknown-fields").asBoolean(false);
    if (type.isEmpty()) {
      if (!untypedAllowed) {
        causes.add(FieldErrors.required(path + ".type", "must not be empty " + where));
      }
    } else if (isIntOrString(schema)) {
      causes.add(
          FieldErrors.invalid(
              path + ".type", type, "must be empty if x-kubernetes-int-or-string is true"));
    } else if (!TYPES.contains(type)) {
      causes.add(
          FieldErrors.unsupported(
              path + ".type", schema.get("type"), Json.strings(TYPES.stream().sorted().toList())));
    }
  }

  private void pattern(JsonNode pattern, String path) {
    try {
      Pattern.compile(pattern.asText(""));
    } catch (PatternSyntaxException e) {
      causes.add(
          FieldErrors.invalid(
              path + ".pattern",
              pattern,
              "must be a valid regular expression: " + e.getDescription()));
    }
  }

  private void additional(JsonNode schema, String path) {
    JsonNode additional = schema.get("additionalProperties");
    if (additional == null) {
      return;
    }
    String at = path + ".additionalProperties";
    if (schema.path("properties").size() > 0) {
      causes.add(
          FieldErrors.forbidden(at, "additionalProperties and properties are mutual exclusive"));
    }
    if (additional.isBoolean() && !additional.asBoolean()) {
      causes.add(FieldErrors.forbidden(at, "additionalProperties cannot be set to false"));
    } else if (additional.isObject()) {
      visit(additional, at, "for specified object fields");
    }
  }

  private void junctor(JsonNode schema, String path, boolean ofIntOrString) {
    for (String word : NOT_IN_JUNCTORS) {
      boolean allowed = word.equals("type") && ofIntOrString;
      if (schema.has(word) && !allowed) {
        causes.add(FieldErrors.forbidden(path + "." + word, "must be empty to be structural"));
      }
    }
    schema
        .path("properties")
        .properties()
        .forEach(
            field ->
                junctor(field.getValue(), path + ".properties[" + field.getKey() + "]", false));
    if (schema.path("items").isObject()) {
      junctor(schema.get("items"), path + ".items", false);
    }
  }

  private void lists(JsonNode schema, String path) {
    JsonNode kind = schema.get("x-kubernetes-list-type");
    JsonNode keys = schema.path("x-kubernetes-list-map-keys");
    String keysPath = path + ".x-kubernetes-list-map-keys";
    if (kind == null) {
      if (!keys.isMissingNode()) {
        causes.add(
            FieldErrors.required(
                path + ".x-kubernetes-list-type",
                "must be map if x-kubernetes-list-map-keys is non-empty"));
      }
      return;
    }
    if (!schema.path("type").asText().equals("array")) {
      causes.add(
          FieldErrors.invalid(
              path + ".type",
              schema.path("type").asText(),
              "must be array if x-kubernetes-list-type is specified"));
    }
    switch (kind.asText()) {
      case "map" -> mapKeys(schema, keys, keysPath);
      case "set", "atomic" -> {
        if (!keys.isEmpty()) {
          causes.add(
              FieldErrors.forbidden(
                  keysPath, "must be empty if x-kubernetes-list-type is " + kind.asText()));
        }
      }
      default ->
          causes.add(
              FieldErrors.unsupported(
                  path + ".x-kubernetes-list-type",
                  kind,
                  Json.strings(List.of("atomic", "map", "set"))));
    }
  }

  private void mapKeys(JsonNode schema, JsonNode keys, String path) {
    if (keys.isEmpty()) {
      causes.add(FieldErrors.required(path, "must not be empty if x-kubernetes-list-type is map"));
    }
    JsonNode items = schema.path("items");
    for (int i = 0; i < keys.size(); i++) {
      String key = keys.get(i).asText();
      JsonNode property = items.path("properties").path(key);
      boolean required = false;
      for (JsonNode name : items.path("required")) {
        required |= name.asText().equals(key);
      }
      if (property.isMissingNode()) {
        causes.add(
            FieldErrors.invalid(
                path + "[" + i + "]", key, "entries must all be names of item properties"));
      } else if (!required && !property.has("default")) {
        causes.add(
            FieldErrors.required(
                path.replace(
                    ".x-kubernetes-list-map-keys", ".items.properties[" + key + "].default"),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a"
                    + " required property"));
      }
    }
  }

  private void defaultValue(JsonNode schema, String path) {
    JsonNode value = schema.get("default");
    if (value == null) {
      return;
    }
    Schema parsed = Schema.parse(schema);
    JsonNode completed = value.deepCopy();
    Defaulting.apply(completed, parsed);
    for (Cause cause : new SchemaValidator(parsed).validate(completed)) {
      String field = cause.field().isEmpty() ? "" : "." + cause.field();
      causes.add(new Cause(cause.reason(), cause.message(), path + ".default" + field));
    }
    if (value instanceof ObjectNode object) {
      for (String unknown : UnknownFields.find(object, parsed)) {
        causes.add(
            FieldErrors.invalid(
                path + ".default", value, "must not have unknown fields: " + unknown));
      }
    }
  }

  private static Set<String> words(String text) {
    return new LinkedHashSet<>(List.of(text.split(" ")));
  }

  private static boolean isIntOrString(JsonNode schema) {
    return schema.path("x-kubernetes-int-or-string").asBoolean(false);
  }
}
