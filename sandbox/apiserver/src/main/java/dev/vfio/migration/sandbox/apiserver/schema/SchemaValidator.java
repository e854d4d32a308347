package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.Format;
import com.networknt.schema.JsonMetaSchema;
import com.networknt.schema.JsonNodePath;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.ValidationMessage;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks values against the JSON Schema part of a structural schema. The rules are a JSON Schema
 * library's (draft 4, on which OpenAPI v3.0 stands, with Kubernetes' own words translated first);
 * the wording of the errors is a kube-apiserver's.
 */
public final class SchemaValidator implements ObjectValidator {
  private static final JsonSchemaFactory FACTORY = factory();
  private static final SchemaValidatorsConfig CONFIG =
      SchemaValidatorsConfig.builder()
          .formatAssertionsEnabled(true)
          .losslessNarrowing(true)
          .build();

  private final JsonSchema rules;
  private final Schema schema;

  private SchemaValidator(JsonSchema rules, Schema schema) {
    this.rules = rules;
    this.schema = schema;
  }

  /** A validator for values of this schema. */
  public static SchemaValidator of(Schema schema) {
    SchemaLocation location = SchemaLocation.of("urn:structural-schema");
    return new SchemaValidator(
        FACTORY.getSchema(location, translate(schema.raw()), CONFIG), schema);
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    return validate(next);
  }

  /** The broken rules of a value, in the schema's order. */
  public List<Cause> validate(JsonNode value) {
    List<Cause> causes = new ArrayList<>();
    for (ValidationMessage message : rules.validate(value)) {
      Cause cause = SchemaErrors.cause(path(message.getInstanceLocation()), message);
      if (!causes.contains(cause)) {
        causes.add(cause);
      }
    }
    ListRules.check(value, schema, "", causes);
    return causes;
  }

  private static JsonSchemaFactory factory() {
    JsonMetaSchema draft4 = JsonMetaSchema.getV4();
    List<Format> formats = new ArrayList<>(Formats.ALL);
    JsonMetaSchema meta = JsonMetaSchema.builder(draft4.getIri(), draft4).formats(formats).build();
    return JsonSchemaFactory.builder().defaultMetaSchemaIri(meta.getIri()).metaSchema(meta).build();
  }

  /**
   * Kubernetes' words in JSON Schema's: nullable, int-or-string; what is not for validation is left
   * out.
   */
  private static ObjectNode translate(JsonNode structural) {
    ObjectNode schema = Json.object();
    for (String keyword :
        new String[] {
          "enum", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
              "minLength", "pattern",
          "maxItems", "minItems", "uniqueItems", "multipleOf", "maxProperties", "minProperties",
              "required", "format"
        }) {
      if (structural.has(keyword)) {
        schema.set(keyword, structural.get(keyword));
      }
    }
    boolean nullable = structural.path("nullable").asBoolean(false);
    types(structural, nullable, schema);
    if (nullable && schema.get("enum") instanceof ArrayNode values) {
      schema.set("enum", values.deepCopy().addNull());
    }
    ObjectNode properties = Json.object();
    structural
        .path("properties")
        .properties()
        .forEach(property -> properties.set(property.getKey(), translate(property.getValue())));
    if (!properties.isEmpty()) {
      schema.set("properties", properties);
    }
    for (String below : new String[] {"items", "additionalProperties", "not"}) {
      if (structural.path(below).isObject()) {
        schema.set(below, translate(structural.get(below)));
      }
    }
    for (String several : new String[] {"allOf", "anyOf", "oneOf"}) {
      if (structural.path(several).isArray()) {
        ArrayNode list = schema.putArray(several);
        structural.get(several).forEach(each -> list.add(translate(each)));
      }
    }
    return schema;
  }

  private static void types(JsonNode structural, boolean nullable, ObjectNode schema) {
    List<String> types = new ArrayList<>();
    if (structural.path("x-kubernetes-int-or-string").asBoolean(false)) {
      types.add("integer");
      types.add("string");
    } else if (structural.path("type").isTextual()) {
      types.add(structural.get("type").asText());
    }
    if (!types.isEmpty()) {
      if (nullable) {
        types.add("null");
      }
      if (types.size() == 1) {
        schema.put("type", types.get(0));
      } else {
        schema.set("type", Json.strings(types));
      }
    }
  }

  private static String path(JsonNodePath location) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < location.getNameCount(); i++) {
      Object element = location.getElement(i);
      if (element instanceof Integer index) {
        path.append('[').append(index.intValue()).append(']');
      } else {
        path.append(path.isEmpty() ? "" : ".").append(element);
      }
    }
    return path.toString();
  }
}
