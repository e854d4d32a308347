package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.table.TableRenderer;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * In which shape a client wants objects: whole, as rows of a table, or their metadata only (Accept
 * header, as=...). Immutable.
 */
final class Presentation {
  private static final String META = "meta.k8s.io/";

  private enum Shape {
    OBJECT,
    TABLE,
    METADATA
  }

  private final Shape shape;
  private final String version;
  private final String includeObject;
  private final TableRenderer tables;

  private Presentation(Shape shape, String version, String includeObject, Clock clock) {
    this.shape = shape;
    this.version = version;
    this.includeObject = includeObject;
    this.tables = new TableRenderer(META + version, includeObject, clock);
  }

  /**
   * The first shape of the Accept header that the server has.
   *
   * @throws dev.vfio.migration.sandbox.apiserver.http.ApiException 406 if there is none
   */
  static Presentation of(ApiRequest request, Clock clock) {
    String include = request.parameter("includeObject").orElse("Metadata");
    String accept = request.header("Accept");
    if (accept.isBlank()) {
      return new Presentation(Shape.OBJECT, "v1", include, clock);
    }
    for (String part : accept.split(",")) {
      Map<String, String> parameters = parameters(part);
      String type = part.split(";", 2)[0].trim().toLowerCase(Locale.ROOT);
      if (!type.equals("application/json")
          && !type.equals("*/*")
          && !type.equals("application/*")) {
        continue;
      }
      String as = parameters.getOrDefault("as", "");
      String version = parameters.getOrDefault("v", "v1");
      boolean known = version.equals("v1") || version.equals("v1beta1");
      if (as.equals("Table") && known) {
        return new Presentation(Shape.TABLE, version, include, clock);
      }
      if (as.startsWith("PartialObjectMetadata") && known) {
        return new Presentation(Shape.METADATA, version, include, clock);
      }
      if (as.isEmpty()) {
        return new Presentation(Shape.OBJECT, "v1", include, clock);
      }
    }
    throw Failures.notAcceptable("application/json");
  }

  private static Map<String, String> parameters(String part) {
    Map<String, String> parameters = new HashMap<>();
    String[] pieces = part.split(";");
    for (int i = 1; i < pieces.length; i++) {
      String[] pair = pieces[i].split("=", 2);
      parameters.put(pair[0].trim(), pair.length > 1 ? pair[1].trim() : "");
    }
    return parameters;
  }

  /** One object. */
  ObjectNode object(ObjectNode stored, ResourceType type) {
    return shaped(Conversion.toServed(stored, type), type, true);
  }

  /** One object of a watch; columns are described in the first row only. */
  ObjectNode watched(ObjectNode stored, ResourceType type, boolean first) {
    return shaped(Conversion.toServed(stored, type), type, first);
  }

  /** The object that a bookmark carries. */
  ObjectNode bookmark(String resourceVersion, ResourceType type) {
    ObjectNode bookmark = Json.object();
    bookmark.put("kind", type.kind()).put("apiVersion", type.apiVersion());
    ObjectNode metadata = bookmark.putObject("metadata");
    metadata.put("resourceVersion", resourceVersion);
    metadata.putNull("creationTimestamp");
    if (shape == Shape.TABLE) {
      ObjectNode table = tables.empty();
      table.set("metadata", metadata.deepCopy().without("creationTimestamp"));
      return table;
    }
    if (shape == Shape.METADATA) {
      bookmark.put("kind", "PartialObjectMetadata").put("apiVersion", META + version);
    }
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
    if (shape == Shape.TABLE) {
      return tables.table(served, type.columns(), true).set("metadata", listMetadata);
    }
    ObjectNode list = Json.object();
    boolean metadataOnly = shape == Shape.METADATA;
    list.put("kind", metadataOnly ? "PartialObjectMetadataList" : type.names().listKind());
    list.put("apiVersion", metadataOnly ? META + version : type.apiVersion());
    list.set("metadata", listMetadata);
    ArrayNode items = list.putArray("items");
    served.forEach(object -> items.add(metadataOnly ? tables.metadataOf(object) : object));
    return list;
  }

  private ObjectNode shaped(ObjectNode served, ResourceType type, boolean describeColumns) {
    return switch (shape) {
      case OBJECT -> served;
      case METADATA -> tables.metadataOf(served);
      case TABLE -> {
        ObjectNode table = tables.table(List.of(served), type.columns(), describeColumns);
        ObjectNode metadata = Json.object();
        metadata.put("resourceVersion", Json.textAt(served, "metadata", "resourceVersion"));
        yield table.set("metadata", metadata);
      }
    };
  }

  @Override
  public String toString() {
    return shape + " " + version + " " + includeObject;
  }
}
