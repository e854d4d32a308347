package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.cel.SchemaRules;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.StructuralRules;
import dev.vfio.migration.sandbox.apiserver.table.JsonPath;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The rules for CustomResourceDefinitions (k8s.io/apiextensions-apiserver,
 * apis/apiextensions/validation).
 */
final class DefinitionValidation {
  private DefinitionValidation() {}

  static List<Cause> check(ObjectNode definition, ObjectNode live) {
    List<Cause> causes = new ArrayList<>();
    JsonNode spec = definition.path("spec");
    JsonNode names = spec.path("names");
    String group = Json.textAt(spec, "group");
    String plural = Json.textAt(names, "plural");
    requireText(spec, "group", "spec.group", causes);
    for (String name : new String[] {"plural", "singular", "kind", "listKind"}) {
      requireText(names, name, "spec.names." + name, causes);
    }
    String name = Json.textAt(definition, "metadata", "name");
    if (!name.equals(plural + "." + group)) {
      causes.add(
          FieldErrors.invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
    }
    String scope = Json.textAt(spec, "scope");
    if (!Set.of("Namespaced", "Cluster").contains(scope)) {
      causes.add(
          scope.isEmpty()
              ? FieldErrors.required("spec.scope")
              : FieldErrors.unsupported(
                  "spec.scope",
                  TextNode.valueOf(scope),
                  List.of(TextNode.valueOf("Cluster"), TextNode.valueOf("Namespaced"))));
    }
    if (!Json.textAt(spec, "conversion", "strategy").equals("None")) {
      causes.add(
          FieldErrors.invalid(
              "spec.conversion.strategy",
              Json.textAt(spec, "conversion", "strategy"),
              "this server has no conversion webhooks: only None is served"));
    }
    versions(spec.path("versions"), causes);
    if (live != null) {
      unchanged(definition, live, "group", causes);
      unchanged(definition, live, "scope", causes);
    }
    return causes;
  }

  private static void versions(JsonNode versions, List<Cause> causes) {
    int stored = 0;
    for (int i = 0; i < versions.size(); i++) {
      JsonNode version = versions.get(i);
      String at = "spec.versions[" + i + "]";
      requireText(version, "name", at + ".name", causes);
      stored += version.path("storage").asBoolean(false) ? 1 : 0;
      schema(Json.at(version, "schema", "openAPIV3Schema"), schemaPath(versions, i), causes);
      columns(version.path("additionalPrinterColumns"), at + ".additionalPrinterColumns", causes);
    }
    if (stored != 1) {
      causes.add(
          FieldErrors.invalid(
              "spec.versions",
              versions,
              "must have exactly one version marked as storage version"));
    }
  }

  /** A kube-apiserver names the schema of a single version as if it stood for all versions. */
  private static String schemaPath(JsonNode versions, int index) {
    return versions.size() == 1
        ? "spec.validation.openAPIV3Schema"
        : "spec.versions[" + index + "].schema.openAPIV3Schema";
  }

  private static void schema(JsonNode schema, String path, List<Cause> causes) {
    if (!schema.isObject()) {
      causes.add(FieldErrors.required(path, "schemas are required"));
      return;
    }
    List<Cause> structural = StructuralRules.check(schema, path);
    causes.addAll(structural);
    if (structural.isEmpty()) {
      for (Cause error : new SchemaRules(Schema.ofObject(schema)).errors()) {
        causes.add(new Cause(error.reason(), error.message(), path + error.field()));
      }
    }
  }

  private static void columns(JsonNode columns, String at, List<Cause> causes) {
    for (int i = 0; i < columns.size(); i++) {
      String column = at + "[" + i + "]";
      requireText(columns.get(i), "name", column + ".name", causes);
      requireText(columns.get(i), "type", column + ".type", causes);
      String path = Json.textAt(columns.get(i), "jsonPath");
      try {
        JsonPath.parse(path);
      } catch (IllegalArgumentException e) {
        causes.add(FieldErrors.invalid(column + ".jsonPath", path, e.getMessage()));
      }
    }
  }

  private static void requireText(JsonNode parent, String field, String path, List<Cause> causes) {
    if (Json.textAt(parent, field).isEmpty()) {
      causes.add(FieldErrors.required(path));
    }
  }

  private static void unchanged(
      ObjectNode definition, ObjectNode live, String field, List<Cause> causes) {
    JsonNode value = Json.at(definition, "spec", field);
    if (!Json.same(value, Json.at(live, "spec", field))) {
      causes.add(FieldErrors.invalid("spec." + field, value, "field is immutable"));
    }
  }
}
