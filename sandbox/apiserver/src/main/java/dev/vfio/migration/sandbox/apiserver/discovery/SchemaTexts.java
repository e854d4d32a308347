package dev.vfio.migration.sandbox.apiserver.discovery;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.ObjectMetadata;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/** The schemas of kinds as the two versions of OpenAPI spell them. Stateless. */
final class SchemaTexts {
  static final String OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
  static final String KIND_EXTENSION = "x-kubernetes-group-version-kind";

  private static final String API_VERSION_TEXT =
      "The group and version of the schema that this object follows.";
  private static final String KIND_TEXT = "The kind of this object.";
  private static final String METADATA_TEXT =
      "Name, namespace, labels and what else every object has.";

  /** What OpenAPI v2 cannot say, or kubectl's old validation takes wrongly. */
  private static final Set<String> NOT_IN_V2 =
      Set.of("nullable", "anyOf", "oneOf", "allOf", "not", "default", "x-kubernetes-validations");

  private SchemaTexts() {}

  /** The name under which documents hold a kind's schema: the group backwards, version, kind. */
  static String name(ResourceType type) {
    if (!type.custom()) {
      String group = type.group().isEmpty() ? "core" : type.group().split("\\.")[0];
      return "io.k8s.api." + group + "." + type.version() + "." + type.kind();
    }
    List<String> parts = new ArrayList<>(Arrays.asList(type.group().split("\\.")));
    Collections.reverse(parts);
    return String.join(".", parts) + "." + type.version() + "." + type.kind();
  }

  /** As OpenAPI v3 has it: everything. */
  static ObjectNode v3(ResourceType type) {
    ObjectNode schema = (ObjectNode) type.schema().raw().deepCopy();
    ObjectNode metadata = Json.object().put("description", METADATA_TEXT);
    metadata.putArray("allOf").addObject().put("$ref", "#/components/schemas/" + OBJECT_META);
    metadata.putObject("default");
    return complete(schema, metadata, type);
  }

  /** As OpenAPI v2 has it: what kubectl's validation on the client's side can use. */
  static ObjectNode v2(ResourceType type) {
    ObjectNode schema = (ObjectNode) reduced(type.schema().raw());
    ObjectNode metadata = Json.object().put("description", METADATA_TEXT);
    metadata.put("$ref", "#/definitions/" + OBJECT_META);
    return complete(schema, metadata, type);
  }

  static ObjectNode objectMetaV3() {
    return ObjectMetadata.schemaText();
  }

  static ObjectNode objectMetaV2() {
    return (ObjectNode) reduced(ObjectMetadata.schemaText());
  }

  static ObjectNode kindOf(ResourceType type) {
    return Json.object()
        .put("group", type.group())
        .put("version", type.version())
        .put("kind", type.kind());
  }

  private static ObjectNode complete(ObjectNode schema, ObjectNode metadata, ResourceType type) {
    ObjectNode declared = Json.child(schema, "properties");
    ObjectNode properties = Json.object();
    properties.putObject("apiVersion").put("description", API_VERSION_TEXT).put("type", "string");
    properties.putObject("kind").put("description", KIND_TEXT).put("type", "string");
    properties.set("metadata", metadata);
    declared
        .properties()
        .forEach(field -> properties.putIfAbsent(field.getKey(), field.getValue()));
    schema.set("properties", properties);
    schema.putArray(KIND_EXTENSION).add(kindOf(type));
    return schema;
  }

  private static JsonNode reduced(JsonNode schema) {
    ObjectNode copy = Json.object();
    schema
        .properties()
        .forEach(
            keyword -> {
              if (!NOT_IN_V2.contains(keyword.getKey())) {
                copy.set(keyword.getKey(), keyword.getValue());
              }
            });
    boolean untyped =
        schema.path("nullable").asBoolean(false)
            || schema.path("x-kubernetes-int-or-string").asBoolean(false);
    boolean open = schema.path("x-kubernetes-preserve-unknown-fields").asBoolean(false);
    if (untyped || open) {
      // Old clients know neither null nor a choice of types nor undeclared fields: for them every
      // value is valid.
      copy.remove(List.of("properties", "items", "additionalProperties"));
    }
    if (untyped) {
      copy.remove(
          List.of("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"));
    }
    for (String below : new String[] {"items", "additionalProperties"}) {
      if (copy.path(below).isObject()) {
        copy.set(below, reduced(copy.get(below)));
      }
    }
    if (copy.path("properties").isObject()) {
      ObjectNode properties = Json.object();
      copy.get("properties")
          .properties()
          .forEach(field -> properties.set(field.getKey(), reduced(field.getValue())));
      copy.set("properties", properties);
    }
    return copy;
  }
}
