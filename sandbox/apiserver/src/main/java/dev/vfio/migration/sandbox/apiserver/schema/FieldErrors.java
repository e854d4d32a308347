package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * The errors of single fields, worded as a kube-apiserver words them (k8s.io/apimachinery,
 * util/validation/field).
 */
public final class FieldErrors {
  private FieldErrors() {}

  /** The field must be there. */
  public static Cause required(String field) {
    return new Cause("FieldValueRequired", "Required value", field);
  }

  /** The field must be there, for this reason. */
  public static Cause required(String field, String why) {
    return new Cause("FieldValueRequired", "Required value: " + why, field);
  }

  /** The value breaks a rule. */
  public static Cause invalid(String field, String value, String why) {
    return invalid(field, TextNode.valueOf(value), why);
  }

  /** The value breaks a rule. */
  public static Cause invalid(String field, JsonNode value, String why) {
    return new Cause("FieldValueInvalid", "Invalid value: " + Json.text(value) + ": " + why, field);
  }

  /** The value is of the wrong type. */
  public static Cause wrongType(String field, String typeFound, String typeWanted) {
    return new Cause(
        "FieldValueTypeInvalid",
        "Invalid value: \"%s\": %s in body must be of type %s: \"%s\""
            .formatted(typeFound, field, typeWanted, typeFound),
        field);
  }

  /** The value is not one of those allowed. */
  public static Cause unsupported(String field, JsonNode value, Iterable<JsonNode> supported) {
    String list =
        StreamSupport.stream(supported.spliterator(), false)
            // Null in a list of allowed values only says that the field is nullable.
            .filter(allowed -> !allowed.isNull())
            .map(
                allowed ->
                    allowed.isTextual() ? Json.text(allowed) : "\"" + Json.text(allowed) + "\"")
            .collect(Collectors.joining(", "));
    return new Cause(
        "FieldValueNotSupported",
        "Unsupported value: %s: supported values: %s".formatted(Json.text(value), list),
        field);
  }

  /** The text is too long. */
  public static Cause tooLong(String field, long most) {
    return new Cause(
        "FieldValueTooLong", "Too long: may not be more than %d bytes".formatted(most), field);
  }

  /** The list or map has too many entries. */
  public static Cause tooMany(String field, long found, long most) {
    return new Cause(
        "FieldValueTooMany",
        "Too many: %d: must have at most %d items".formatted(found, most),
        field);
  }

  /** The item is in the list already. */
  public static Cause duplicate(String field, JsonNode value) {
    return new Cause("FieldValueDuplicate", "Duplicate value: " + Json.text(value), field);
  }

  /** The field may not be written now. */
  public static Cause forbidden(String field, String why) {
    return new Cause("FieldValueForbidden", "Forbidden: " + why, field);
  }
}
