package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.table.TableRenderer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * In which shape a client wants objects: whole or as rows of a table (Accept header). Immutable.
 */
final class Presentation {
  /** Null for whole objects. */
  private final TableRenderer tables;

  private Presentation(TableRenderer tables) {
    this.tables = tables;
  }

  /**
   * The first shape of the Accept header that the server has.
   *
   * @throws dev.vfio.migration.sandbox.apiserver.http.ApiException 406 if it has none of them
   */
  static Presentation of(ApiRequest request) {
    String accept = request.header("Accept");
    for (String wanted : accept.isBlank() ? new String[] {"*/*"} : accept.split(",")) {
      List<String> parts = Arrays.stream(wanted.split(";")).map(String::trim).toList();
      boolean json =
          List.of("application/json", "*/*", "application/*")
              .contains(parts.get(0).toLowerCase(Locale.ROOT));
      if (json && parts.contains("as=Table") && parts.contains("v=v1")) {
        boolean whole = request.parameter("includeObject").orElse("").equals("Object");
        return new Presentation(new TableRenderer(whole));
      }
      if (json && parts.stream().noneMatch(part -> part.startsWith("as="))) {
        return new Presentation(null);
      }
    }
    throw Failures.notAcceptable("application/json");
  }

  /** One object. */
  ObjectNode object(ObjectNode stored, ResourceType type) {
    return watched(stored, type, true);
  }

  /** One object of a watch; only the first table describes its columns. */
  ObjectNode watched(ObjectNode stored, ResourceType type, boolean first) {
    ObjectNode served = Conversion.toServed(stored, type);
    if (tables == null) {
      return served;
    }
    ObjectNode metadata = version(Json.textAt(served, "metadata", "resourceVersion"));
    return tables.table(List.of(served), type.columns(), first, metadata);
  }

  /** The object of a bookmark. */
  ObjectNode bookmark(String resourceVersion, ResourceType type) {
    if (tables != null) {
      return tables.table(List.of(), type.columns(), false, version(resourceVersion));
    }
    ObjectNode bookmark = Json.object();
    bookmark.put("kind", type.kind()).put("apiVersion", type.apiVersion());
    bookmark.set("metadata", version(resourceVersion).putNull("creationTimestamp"));
    return bookmark;
  }

  /**
   * A list.
   *
   * @param listMetadata resourceVersion, continue and remainingItemCount
   */
  ObjectNode list(List<ObjectNode> stored, ObjectNode listMetadata, ResourceType type) {
    List<ObjectNode> served =
        stored.stream().map(object -> Conversion.toServed(object, type)).toList();
    if (tables != null) {
      return tables.table(served, type.columns(), true, listMetadata);
    }
    ObjectNode list = Json.object();
    list.put("kind", type.names().listKind()).put("apiVersion", type.apiVersion());
    list.set("metadata", listMetadata);
    list.putArray("items").addAll(served);
    return list;
  }

  private static ObjectNode version(String resourceVersion) {
    return Json.object().put("resourceVersion", resourceVersion);
  }
}
