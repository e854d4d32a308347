package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.ValidationMessage;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * The schema library's findings in a kube-apiserver's words (k8s.io/kube-openapi,
 * validation/errors).
 */
final class SchemaErrors {
  private SchemaErrors() {}

  static Cause cause(String path, ValidationMessage message) {
    JsonNode value = message.getInstanceNode();
    JsonNode limit = message.getSchemaNode();
    return switch (message.getType()) {
      case "required" -> FieldErrors.required(child(path, message.getProperty()));
      case "enum" -> FieldErrors.unsupported(path, value, allowed(limit));
      case "type" -> FieldErrors.wrongType(path, typeOf(value), wanted(limit));
      case "maxLength" -> FieldErrors.tooLong(path, limit.asLong());
      case "maxItems", "maxProperties" -> FieldErrors.tooMany(path, value.size(), limit.asLong());
      case "minLength" -> rule(path, value, "should be at least " + number(limit) + " chars long");
      case "minItems" -> rule(path, value, "should have at least " + number(limit) + " items");
      case "minProperties" ->
          rule(path, value, "should have at least " + number(limit) + " properties");
      case "minimum" -> rule(path, value, "should be greater than or equal to " + number(limit));
      case "maximum" -> rule(path, value, "should be less than or equal to " + number(limit));
      case "exclusiveMinimum" -> rule(path, value, "should be greater than " + number(limit));
      case "exclusiveMaximum" -> rule(path, value, "should be less than " + number(limit));
      case "multipleOf" -> rule(path, value, "should be a multiple of " + number(limit));
      case "pattern" -> rule(path, value, "should match '" + limit.asText() + "'");
      case "uniqueItems" -> rule(path, value, "shouldn't contain duplicates");
      case "format" ->
          rule(path, value, "must be of type " + limit.asText() + ": " + Json.text(value));
      case "anyOf" -> whole(path, "must validate at least one schema (anyOf)");
      case "oneOf" ->
          whole(path, "must validate one and only one schema (oneOf). Found none valid");
      case "allOf" -> whole(path, "must validate all the schemas (allOf)");
      case "not" -> whole(path, "must not validate the schema (not)");
      default -> FieldErrors.invalid(path, value, message.getMessage());
    };
  }

  /** The name by which errors call a value's type. */
  static String typeOf(JsonNode value) {
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

  private static Cause rule(String path, JsonNode value, String rule) {
    return FieldErrors.invalid(path, value, path + " in body " + rule);
  }

  /** Without a fraction that is none. */
  private static String number(JsonNode limit) {
    return limit.decimalValue().stripTrailingZeros().toPlainString();
  }

  private static Cause whole(String path, String rule) {
    return FieldErrors.invalid(path, "", "\"" + path + "\" " + rule);
  }

  private static String child(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  /** Null in a list of allowed values only says that the field is nullable. */
  private static Iterable<JsonNode> allowed(JsonNode values) {
    return StreamSupport.stream(values.spliterator(), false)
        .filter(value -> !value.isNull())
        .collect(Collectors.toList());
  }

  private static String wanted(JsonNode type) {
    if (!type.isArray()) {
      return type.asText();
    }
    return StreamSupport.stream(type.spliterator(), false)
        .map(JsonNode::asText)
        .filter(name -> !name.equals("null"))
        .collect(Collectors.joining(","));
  }
}
