package dev.vfio.migration.sandbox.apiserver.discovery;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/**
 * What kinds look like, in OpenAPI v2 (one document, which kubectl wants in protobuf) and v3 (one
 * per group and version, JSON). Custom kinds are described in full. Built-in kinds are in v3 with
 * the fields that this server knows, and not in v2, so that kubectl uses what it knows of them
 * itself. Safe for any thread.
 */
public final class OpenApiDocuments {
  /** Old clients ask with an at-sign before v1.0, and refuse it in the answer. */
  private static final String PROTOBUF =
      "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

  private static final List<String> WRITE_PARAMETERS =
      List.of("dryRun", "fieldManager", "fieldValidation", "force");
  private static final List<String> PATCH_TYPES =
      List.of(
          "application/json-patch+json",
          "application/merge-patch+json",
          "application/apply-patch+yaml");

  private final Registry registry;

  /** Of the kinds in this registry. */
  public OpenApiDocuments(Registry registry) {
    this.registry = registry;
  }

  /** Answers {@code /openapi/...}; the path comes split, with {@code openapi} first. */
  public Reply answer(ApiRequest request, List<String> path) {
    if (path.size() == 2 && path.get(1).equals("v2")) {
      return version2(request);
    }
    if (path.size() >= 2 && path.get(1).equals("v3")) {
      return switch (path.size()) {
        case 2 -> index();
        case 4 -> version3("", path.get(3));
        case 5 -> version3(path.get(3), path.get(4));
        default -> throw Failures.noSuchPath();
      };
    }
    throw Failures.noSuchPath();
  }

  private Reply version2(ApiRequest request) {
    ObjectNode document = Json.object().put("swagger", "2.0");
    document.set("info", info());
    ObjectNode paths = document.putObject("paths");
    ObjectNode definitions = document.putObject("definitions");
    definitions.set(SchemaTexts.OBJECT_META, SchemaTexts.objectMetaV2());
    for (ResourceType type : storedTypes()) {
      ObjectNode patch = paths.putObject(objectPath(type)).putObject("patch");
      ArrayNode parameters = patch.putArray("parameters");
      for (String name : WRITE_PARAMETERS) {
        parameters.addObject().put("name", name).put("in", "query").put("type", "string");
      }
      patch.set(SchemaTexts.KIND_EXTENSION, SchemaTexts.kindOf(type));
      if (type.custom()) {
        definitions.set(SchemaTexts.name(type), SchemaTexts.v2(type));
      }
    }
    String accept = request.header("Accept");
    for (String wanted : accept.split(",")) {
      String mediaType = wanted.split(";", 2)[0].trim();
      if (mediaType.startsWith("application/com.github.proto-openapi.spec.v2")) {
        return new Reply(200, PROTOBUF, OpenApiProtobuf.encode(document), List.of());
      }
    }
    return Reply.json(200, document);
  }

  private Reply index() {
    ObjectNode index = Json.object();
    ObjectNode paths = index.putObject("paths");
    registry
        .groups()
        .forEach(
            (group, versions) -> {
              for (String version : versions) {
                String path = group.isEmpty() ? "api/" + version : "apis/" + group + "/" + version;
                int hash = document(group, version).hashCode();
                paths
                    .putObject(path)
                    .put("serverRelativeURL", "/openapi/v3/%s?hash=%08X".formatted(path, hash));
              }
            });
    return Reply.json(200, index);
  }

  private Reply version3(String group, String version) {
    if (!registry.groups().getOrDefault(group, Set.of()).contains(version)) {
      throw Failures.noSuchPath();
    }
    return Reply.json(200, document(group, version));
  }

  private ObjectNode document(String group, String version) {
    ObjectNode document = Json.object().put("openapi", "3.0.0");
    document.set("info", info());
    ObjectNode paths = document.putObject("paths");
    ObjectNode schemas = Json.object();
    schemas.set(SchemaTexts.OBJECT_META, SchemaTexts.objectMetaV3());
    for (ResourceType type : storedTypes()) {
      if (type.group().equals(group) && type.version().equals(version)) {
        paths.putObject(objectPath(type)).set("patch", patch(type));
        schemas.set(SchemaTexts.name(type), SchemaTexts.v3(type));
      }
    }
    document.putObject("components").set("schemas", schemas);
    return document;
  }

  private static ObjectNode patch(ResourceType type) {
    ObjectNode patch = Json.object();
    ArrayNode parameters = patch.putArray("parameters");
    for (String name : WRITE_PARAMETERS) {
      ObjectNode parameter = parameters.addObject().put("name", name).put("in", "query");
      parameter.putObject("schema").put("type", "string").put("uniqueItems", true);
    }
    ObjectNode content = patch.putObject("requestBody").putObject("content");
    PATCH_TYPES.forEach(mediaType -> content.putObject(mediaType).putObject("schema"));
    patch.put("x-kubernetes-action", "patch");
    patch.set(SchemaTexts.KIND_EXTENSION, SchemaTexts.kindOf(type));
    return patch;
  }

  private Iterable<ResourceType> storedTypes() {
    TreeMap<String, ResourceType> byName = new TreeMap<>();
    registry.types().stream()
        .filter(ResourceType::stored)
        .forEach(type -> byName.putIfAbsent(SchemaTexts.name(type), type));
    return byName.values();
  }

  private static String objectPath(ResourceType type) {
    String prefix = type.group().isEmpty() ? "/api/" : "/apis/" + type.group() + "/";
    String scope = type.namespaced() ? "/namespaces/{namespace}/" : "/";
    return prefix + type.version() + scope + type.plural() + "/{name}";
  }

  private static ObjectNode info() {
    return Json.object().put("title", "Kubernetes sandbox").put("version", "v1.32.0");
  }
}
