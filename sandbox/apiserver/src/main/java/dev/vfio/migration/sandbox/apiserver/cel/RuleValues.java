package dev.vfio.migration.sandbox.apiserver.cel;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cel.common.values.CelByteString;
import dev.cel.common.values.NullValue;
import dev.vfio.migration.sandbox.apiserver.quantity.GoDuration;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as the values that CEL computes with, by their schema. Values must be valid. Stateless. */
final class RuleValues {
  private RuleValues() {}

  static Object of(JsonNode value, Schema schema) {
    if (value.isNull()) {
      return NullValue.NULL_VALUE;
    }
    if (value.isObject()) {
      return object(value, schema);
    }
    if (value.isArray()) {
      List<Object> list = new ArrayList<>();
      value.forEach(item -> list.add(of(item, schema.item())));
      return list;
    }
    if (value.isBoolean()) {
      return value.booleanValue();
    }
    if (value.isNumber()) {
      boolean whole = value.isIntegralNumber() && !schema.type().equals("number");
      return whole || schema.type().equals("integer")
          ? (Object) value.longValue()
          : value.doubleValue();
    }
    return text(value.textValue(), schema);
  }

  private static Object object(JsonNode value, Schema schema) {
    boolean structure = schema.additional() == null && !schema.properties().isEmpty();
    Map<String, Object> map = new LinkedHashMap<>();
    value
        .properties()
        .forEach(
            field -> {
              String name = field.getKey();
              if (!structure) {
                map.put(name, of(field.getValue(), schema.field(name)));
              } else if (schema.properties().containsKey(name)) {
                Identifiers.escape(name)
                    .ifPresent(
                        escaped -> map.put(escaped, of(field.getValue(), schema.field(name))));
              }
            });
    return map;
  }

  private static Object text(String text, Schema schema) {
    if (!schema.type().equals("string")) {
      return text;
    }
    return switch (schema.format()) {
      case "byte" -> CelByteString.of(Base64.getDecoder().decode(text));
      case "date" -> LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC);
      case "date-time" -> OffsetDateTime.parse(text).toInstant();
      case "duration" -> GoDuration.parse(text);
      default -> text;
    };
  }
}
