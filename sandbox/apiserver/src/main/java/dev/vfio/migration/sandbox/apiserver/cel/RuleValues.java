package dev.vfio.migration.sandbox.apiserver.cel;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cel.common.values.NullValue;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.time.OffsetDateTime;
import java.util.ArrayList;
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
    boolean time = schema.type().equals("string") && schema.format().equals("date-time");
    return time ? OffsetDateTime.parse(value.textValue()).toInstant() : value.textValue();
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
}
