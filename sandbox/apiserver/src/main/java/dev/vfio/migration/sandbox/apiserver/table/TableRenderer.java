package dev.vfio.migration.sandbox.apiserver.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.time.Clock;
import java.util.List;

/** Makes meta.k8s.io Tables of objects, as kubectl prints them. Immutable. */
public final class TableRenderer {
  private final String apiVersion;
  private final String includeObject;
  private final Clock clock;

  /**
   * A renderer.
   *
   * @param apiVersion {@code meta.k8s.io/v1} or {@code meta.k8s.io/v1beta1}
   * @param includeObject what a row carries beside its cells: {@code None}, {@code Metadata} or
   *     {@code Object}
   * @param clock what ages are measured by
   */
  public TableRenderer(String apiVersion, String includeObject, Clock clock) {
    this.apiVersion = apiVersion;
    this.includeObject = includeObject;
    this.clock = clock;
  }

  /** A table without rows and columns. */
  public ObjectNode empty() {
    ObjectNode table = Json.object().put("kind", "Table").put("apiVersion", apiVersion);
    table.putArray("columnDefinitions");
    table.putArray("rows");
    return table;
  }

  /**
   * A table of these objects.
   *
   * @param describeColumns false leaves out the columns, as later events of a watch do
   */
  public ObjectNode table(List<ObjectNode> objects, List<Column> columns, boolean describeColumns) {
    ObjectNode table = empty();
    if (describeColumns) {
      ArrayNode definitions = table.withArray("columnDefinitions");
      for (Column column : columns) {
        definitions
            .addObject()
            .put("name", column.name())
            .put("type", column.type())
            .put("format", column.format())
            .put("description", column.description())
            .put("priority", column.priority());
      }
    }
    ArrayNode rows = table.withArray("rows");
    for (ObjectNode object : objects) {
      ObjectNode row = rows.addObject();
      ArrayNode cells = row.putArray("cells");
      columns.forEach(column -> cells.add(cell(column, object)));
      switch (includeObject) {
        case "Object" -> row.set("object", object);
        case "None" -> row.putNull("object");
        default -> row.set("object", metadataOf(object));
      }
    }
    return table;
  }

  /** Only the metadata of an object. */
  public ObjectNode metadataOf(ObjectNode object) {
    ObjectNode partial = Json.object();
    partial.put("kind", "PartialObjectMetadata").put("apiVersion", apiVersion);
    partial.set("metadata", object.path("metadata"));
    return partial;
  }

  private JsonNode cell(Column column, ObjectNode object) {
    JsonNode value = column.cell().apply(object);
    if (!column.type().equals("date")) {
      return value;
    }
    return Json.absent(value)
        ? TextNode.valueOf("<unknown>")
        : TextNode.valueOf(Age.since(value.asText(), clock.instant()));
  }
}
