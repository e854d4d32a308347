package dev.vfio.migration.sandbox.apiserver.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.function.Function;

/**
 * A column of a table of objects.
 *
 * @param name heading
 * @param type {@code string}, {@code integer}, {@code number}, {@code boolean} or {@code date}
 * @param format for example {@code name}, empty if there is none
 * @param description for people
 * @param priority 0 is always shown, above 0 only in wide output
 * @param cell the cell's value; a null result is an empty cell
 */
public record Column(
    String name,
    String type,
    String format,
    String description,
    int priority,
    Function<ObjectNode, JsonNode> cell) {

  /** The object's name, which every table has. */
  public static final Column NAME =
      new Column(
          "Name",
          "string",
          "name",
          "Name of the object",
          0,
          object -> Json.at(object, "metadata", "name"));

  /** The time since the object was created. */
  public static final Column AGE =
      new Column(
          "Age",
          "date",
          "",
          "Time since creation",
          0,
          object -> Json.at(object, "metadata", "creationTimestamp"));
}
