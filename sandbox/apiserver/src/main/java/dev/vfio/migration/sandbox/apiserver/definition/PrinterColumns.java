package dev.vfio.migration.sandbox.apiserver.definition;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.table.Column;
import dev.vfio.migration.sandbox.apiserver.table.JsonPath;
import java.util.ArrayList;
import java.util.List;

/** Columns that a CustomResourceDefinition declares. */
final class PrinterColumns {
  private PrinterColumns() {}

  /** NAME and the declared columns; NAME and AGE if none is declared. */
  static List<Column> of(JsonNode declared) {
    List<Column> columns = new ArrayList<>();
    columns.add(Column.NAME);
    if (declared.isEmpty()) {
      columns.add(Column.AGE);
    }
    for (JsonNode column : declared) {
      JsonPath path = JsonPath.parse(Json.textAt(column, "jsonPath"));
      String type = Json.textAt(column, "type");
      columns.add(
          new Column(
              Json.textAt(column, "name"),
              type,
              Json.textAt(column, "format"),
              Json.textAt(column, "description"),
              column.path("priority").asInt(0),
              object -> cell(path, type, object)));
    }
    return List.copyOf(columns);
  }

  /** A value of another type than the column's is not shown. */
  private static JsonNode cell(JsonPath path, String type, ObjectNode object) {
    List<JsonNode> found = path.find(object);
    if (found.isEmpty() || found.get(0).isNull()) {
      return NullNode.getInstance();
    }
    JsonNode value = found.get(0);
    boolean fits =
        switch (type) {
          case "integer" -> value.isIntegralNumber();
          case "number" -> value.isNumber();
          case "boolean" -> value.isBoolean();
          case "date" -> value.isTextual();
          default -> true;
        };
    if (!fits) {
      return NullNode.getInstance();
    }
    return type.equals("string") && !value.isTextual()
        ? TextNode.valueOf(value.isValueNode() ? value.asText() : Json.text(value))
        : value;
  }
}
