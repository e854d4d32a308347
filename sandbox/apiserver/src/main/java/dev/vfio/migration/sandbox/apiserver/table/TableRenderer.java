package dev.vfio.migration.sandbox.apiserver.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.time.Instant;
import java.util.List;

/** Makes meta.k8s.io Tables of objects, as kubectl prints them. Immutable. */
public final class TableRenderer {
  private static final String API_VERSION = "meta.k8s.io/v1";

  private final boolean wholeObjects;

  /**
   * A renderer.
   *
   * @param wholeObjects whether a row carries its object, else only the metadata of it
   */
  public TableRenderer(boolean wholeObjects) {
    this.wholeObjects = wholeObjects;
  }

  /**
   * A table of these objects.
   *
   * @param describeColumns false leaves out the columns, as later events of a watch do
   * @param metadata of the table itself
   */
  public ObjectNode table(
      List<ObjectNode> objects,
      List<Column> columns,
      boolean describeColumns,
      ObjectNode metadata) {
    ObjectNode table = Json.object().put("kind", "Table").put("apiVersion", API_VERSION);
    table.set("metadata", metadata);
    ArrayNode definitions = table.putArray("columnDefinitions");
    for (Column column : describeColumns ? columns : List.<Column>of()) {
      definitions
          .addObject()
          .put("name", column.name())
          .put("type", column.type())
          .put("format", column.format())
          .put("description", column.description())
          .put("priority", column.priority());
    }
    ArrayNode rows = table.putArray("rows");
    for (ObjectNode object : objects) {
      ObjectNode row = rows.addObject();
      ArrayNode cells = row.putArray("cells");
      columns.forEach(column -> cells.add(cell(column, object)));
      row.set("object", wholeObjects ? object : metadataOf(object));
    }
    return table;
  }

  private static ObjectNode metadataOf(ObjectNode object) {
    ObjectNode partial = Json.object();
    partial.put("kind", "PartialObjectMetadata").put("apiVersion", API_VERSION);
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
        : TextNode.valueOf(Age.since(value.asText(), Instant.now()));
  }
}
