package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.ListType;
import java.math.BigDecimal;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/**
 * Checks values against a structural schema, all but its CEL rules. The errors are worded as a
 * kube-apiserver words them (k8s.io/kube-openapi, validation/errors). Safe for any thread.
 */
public final class SchemaValidator implements ObjectValidator {
  private final Schema root;
  private final Map<String, Pattern> patterns = new ConcurrentHashMap<>();

  /** A validator for values of this schema. */
  public SchemaValidator(Schema schema) {
    this.root = schema;
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    return validate(next);
  }

  /** The broken rules of a value, in the value's order. */
  public List<Cause> validate(JsonNode value) {
    List<Cause> causes = new ArrayList<>();
    check(value, root, "", causes);
    return causes;
  }

  private void check(JsonNode value, Schema schema, String path, List<Cause> causes) {
    if (value.isNull() && schema.nullable()) {
      return;
    }
    if (!isOfType(value, schema)) {
      String wanted = schema.intOrString() ? "integer,string" : schema.type();
      causes.add(FieldErrors.wrongType(path, typeOf(value), wanted));
      return;
    }
    JsonNode allowed = schema.raw().path("enum");
    if (allowed.isArray() && !contains(allowed, value)) {
      causes.add(FieldErrors.unsupported(path, value, allowed));
    }
    if (value.isTextual()) {
      text(value, schema, path, causes);
    } else if (value.isNumber()) {
      number(value, schema, path, causes);
    } else if (value.isArray()) {
      list(value, schema, path, causes);
    } else if (value.isObject()) {
      object(value, schema, path, causes);
    }
    combined(value, schema, path, causes);
  }

  private void text(JsonNode value, Schema schema, String path, List<Cause> causes) {
    JsonNode rules = schema.raw();
    int length = value.textValue().codePointCount(0, value.textValue().length());
    if (rules.has("maxLength") && length > rules.get("maxLength").asLong()) {
      causes.add(FieldErrors.tooLong(path, rules.get("maxLength").asLong()));
    }
    if (rules.has("minLength") && length < rules.get("minLength").asLong()) {
      broken(path, value, "should be at least %s chars long", rules.get("minLength"), causes);
    }
    if (rules.has("pattern")) {
      String pattern = rules.get("pattern").asText();
      if (!patterns.computeIfAbsent(pattern, Pattern::compile).matcher(value.textValue()).find()) {
        broken(path, value, "should match '%s'", rules.get("pattern"), causes);
      }
    }
    if (schema.format().equals("date-time") && !isDateTime(value.textValue())) {
      broken(path, value, "must be of type %s: " + Json.text(value), rules.get("format"), causes);
    }
  }

  private static void number(JsonNode value, Schema schema, String path, List<Cause> causes) {
    JsonNode rules = schema.raw();
    BigDecimal number = value.decimalValue();
    if (rules.has("minimum")) {
      int order = number.compareTo(rules.get("minimum").decimalValue());
      if (rules.path("exclusiveMinimum").asBoolean(false) ? order <= 0 : order < 0) {
        String words =
            order == 0 ? "should be greater than %s" : "should be greater than or equal to %s";
        broken(path, value, words, rules.get("minimum"), causes);
      }
    }
    if (rules.has("maximum")) {
      int order = number.compareTo(rules.get("maximum").decimalValue());
      if (rules.path("exclusiveMaximum").asBoolean(false) ? order >= 0 : order > 0) {
        String words = order == 0 ? "should be less than %s" : "should be less than or equal to %s";
        broken(path, value, words, rules.get("maximum"), causes);
      }
    }
    if (rules.has("multipleOf")
        && number.remainder(rules.get("multipleOf").decimalValue()).signum() != 0) {
      broken(path, value, "should be a multiple of %s", rules.get("multipleOf"), causes);
    }
  }

  private void list(JsonNode value, Schema schema, String path, List<Cause> causes) {
    size(value, schema.raw().path("maxItems"), path, causes);
    JsonNode fewest = schema.raw().path("minItems");
    if (fewest.isNumber() && value.size() < fewest.asLong()) {
      broken(path, value, "should have at least %s items", fewest, causes);
    }
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < value.size(); i++) {
      String at = path + "[" + i + "]";
      check(value.get(i), schema.item(), at, causes);
      JsonNode identity = identity(value.get(i), schema);
      if (identity != null && !seen.add(Json.text(identity))) {
        causes.add(FieldErrors.duplicate(at, identity));
      }
    }
  }

  private void object(JsonNode value, Schema schema, String path, List<Cause> causes) {
    size(value, schema.raw().path("maxProperties"), path, causes);
    JsonNode fewest = schema.raw().path("minProperties");
    if (fewest.isNumber() && value.size() < fewest.asLong()) {
      broken(path, value, "should have at least %s properties", fewest, causes);
    }
    for (JsonNode required : schema.raw().path("required")) {
      if (!value.has(required.asText())) {
        causes.add(FieldErrors.required(child(path, required.asText())));
      }
    }
    for (Map.Entry<String, JsonNode> field : value.properties()) {
      check(field.getValue(), schema.field(field.getKey()), child(path, field.getKey()), causes);
    }
  }

  private void combined(JsonNode value, Schema schema, String path, List<Cause> causes) {
    JsonNode rules = schema.raw();
    if (rules.has("anyOf") && holding(rules.get("anyOf"), value) == 0) {
      whole(path, "must validate at least one schema (anyOf)", causes);
    }
    if (rules.has("oneOf")) {
      long holding = holding(rules.get("oneOf"), value);
      if (holding != 1) {
        String found = holding == 0 ? "none valid" : "%d valid alternatives".formatted(holding);
        whole(path, "must validate one and only one schema (oneOf). Found " + found, causes);
      }
    }
    if (rules.has("allOf") && holding(rules.get("allOf"), value) < rules.get("allOf").size()) {
      whole(path, "must validate all the schemas (allOf)", causes);
    }
    if (rules.has("not") && holds(rules.get("not"), value)) {
      whole(path, "must not validate the schema (not)", causes);
    }
  }

  private long holding(JsonNode schemas, JsonNode value) {
    long count = 0;
    for (JsonNode schema : schemas) {
      count += holds(schema, value) ? 1 : 0;
    }
    return count;
  }

  private boolean holds(JsonNode schema, JsonNode value) {
    List<Cause> causes = new ArrayList<>();
    check(value, Schema.parse(schema), "", causes);
    return causes.isEmpty();
  }

  /** What no other item of the list may have; null where items may be equal. */
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

  private static boolean isOfType(JsonNode value, Schema schema) {
    if (schema.intOrString()) {
      return value.isTextual() || value.canConvertToExactIntegral();
    }
    return switch (schema.type()) {
      case "" -> true;
      case "integer" -> value.canConvertToExactIntegral();
      default ->
          typeOf(value).equals(schema.type()) || schema.type().equals("number") && value.isNumber();
    };
  }

  private static String typeOf(JsonNode value) {
    return switch (value.getNodeType()) {
      case OBJECT -> "object";
      case ARRAY -> "array";
      case STRING -> "string";
      case BOOLEAN -> "boolean";
      case NUMBER -> value.isIntegralNumber() ? "integer" : "number";
      case NULL, MISSING -> "null";
      case BINARY, POJO -> "unknown";
    };
  }

  private static boolean contains(JsonNode values, JsonNode wanted) {
    for (JsonNode value : values) {
      if (Json.same(value, wanted)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isDateTime(String text) {
    try {
      return OffsetDateTime.parse(text) != null;
    } catch (DateTimeParseException e) {
      return false;
    }
  }

  private static void size(JsonNode value, JsonNode limit, String path, List<Cause> causes) {
    if (limit.isNumber() && value.size() > limit.asLong()) {
      causes.add(FieldErrors.tooMany(path, value.size(), limit.asLong()));
    }
  }

  private static void broken(
      String path, JsonNode value, String words, JsonNode limit, List<Cause> causes) {
    String plain =
        limit.isNumber()
            ? limit.decimalValue().stripTrailingZeros().toPlainString()
            : limit.asText();
    causes.add(FieldErrors.invalid(path, value, path + " in body " + words.formatted(plain)));
  }

  private static void whole(String path, String words, List<Cause> causes) {
    causes.add(FieldErrors.invalid(path, "", "\"" + path + "\" " + words));
  }

  private static String child(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }
}
