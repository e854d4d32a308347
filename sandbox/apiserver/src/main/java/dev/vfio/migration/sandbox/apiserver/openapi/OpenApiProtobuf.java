package dev.vfio.migration.sandbox.apiserver.openapi;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.CodedOutputStream;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * An OpenAPI v2 document in protobuf, as far as kubectl reads it. The numbers are the fields' of
 * package openapi.v2 in github.com/google/gnostic, openapiv2/OpenAPIv2.proto. Stateless.
 */
final class OpenApiProtobuf {
  private OpenApiProtobuf() {}

  /** Fields of Document, and of the messages that only it holds. */
  private static final class Document {
    static final int SWAGGER = 1;
    static final int INFO = 2;
    static final int PATHS = 8;
    static final int DEFINITIONS = 9;
    static final int INFO_TITLE = 1;
    static final int INFO_VERSION = 2;
  }

  /** Fields on the way from Paths to a query parameter. */
  private static final class Path {
    static final int PATHS_PATH = 2;
    static final int ITEM_PATCH = 8;
    static final int OPERATION_PARAMETERS = 8;
    static final int OPERATION_EXTENSION = 13;
    static final int PARAMETERS_ITEM_PARAMETER = 1;
    static final int PARAMETER_NON_BODY = 2;
    static final int NON_BODY_QUERY = 3;
    static final int QUERY_IN = 2;
    static final int QUERY_NAME = 4;
    static final int QUERY_TYPE = 6;
  }

  /** Fields of Schema and of the messages in it. */
  private static final class SchemaField {
    static final int REF = 1;
    static final int FORMAT = 2;
    static final int DESCRIPTION = 4;
    static final int REQUIRED = 19;
    static final int ADDITIONAL_PROPERTIES = 21;
    static final int TYPE = 22;
    static final int ITEMS = 23;
    static final int PROPERTIES = 25;
    static final int EXTENSION = 31;
  }

  /**
   * Named entries, in which the format holds its maps; Any, in which it holds values; single-field
   * wrappers.
   */
  private static final int NAME = 1;

  private static final int VALUE = 2;
  private static final int ANY_YAML = 2;
  private static final int ONLY = 1;

  private interface Body {
    void write(CodedOutputStream out) throws IOException;
  }

  static byte[] encode(JsonNode document) {
    try {
      return message(
          out -> {
            out.writeString(Document.SWAGGER, document.path("swagger").asText());
            JsonNode info = document.path("info");
            nested(
                out,
                Document.INFO,
                below -> {
                  below.writeString(Document.INFO_TITLE, info.path("title").asText());
                  below.writeString(Document.INFO_VERSION, info.path("version").asText());
                });
            nested(out, Document.PATHS, below -> paths(below, document.path("paths")));
            nested(
                out,
                Document.DEFINITIONS,
                below -> namedSchemas(below, document.path("definitions")));
          });
    } catch (IOException e) {
      throw new UncheckedIOException("the OpenAPI document could not be encoded", e);
    }
  }

  private static void paths(CodedOutputStream out, JsonNode paths) throws IOException {
    for (Map.Entry<String, JsonNode> path : paths.properties()) {
      JsonNode patch = path.getValue().path("patch");
      nested(
          out,
          Path.PATHS_PATH,
          entry -> {
            entry.writeString(NAME, path.getKey());
            nested(
                entry,
                VALUE,
                item -> nested(item, Path.ITEM_PATCH, operation -> operation(operation, patch)));
          });
    }
  }

  private static void operation(CodedOutputStream out, JsonNode operation) throws IOException {
    for (JsonNode parameter : operation.path("parameters")) {
      nested(
          out,
          Path.OPERATION_PARAMETERS,
          item ->
              nested(
                  item,
                  Path.PARAMETERS_ITEM_PARAMETER,
                  either ->
                      nested(
                          either,
                          Path.PARAMETER_NON_BODY,
                          nonBody ->
                              nested(
                                  nonBody,
                                  Path.NON_BODY_QUERY,
                                  query -> query(query, parameter)))));
    }
    extensions(out, Path.OPERATION_EXTENSION, operation);
  }

  private static void query(CodedOutputStream out, JsonNode parameter) throws IOException {
    out.writeString(Path.QUERY_IN, parameter.path("in").asText());
    out.writeString(Path.QUERY_NAME, parameter.path("name").asText());
    out.writeString(Path.QUERY_TYPE, parameter.path("type").asText());
  }

  private static void namedSchemas(CodedOutputStream out, JsonNode schemas) throws IOException {
    for (Map.Entry<String, JsonNode> schema : schemas.properties()) {
      nested(
          out,
          ONLY,
          entry -> {
            entry.writeString(NAME, schema.getKey());
            nested(entry, VALUE, value -> schema(value, schema.getValue()));
          });
    }
  }

  private static void schema(CodedOutputStream out, JsonNode schema) throws IOException {
    text(out, SchemaField.REF, schema.path("$ref"));
    text(out, SchemaField.FORMAT, schema.path("format"));
    text(out, SchemaField.DESCRIPTION, schema.path("description"));
    for (JsonNode name : schema.path("required")) {
      out.writeString(SchemaField.REQUIRED, name.asText());
    }
    if (schema.path("additionalProperties").isObject()) {
      nested(
          out,
          SchemaField.ADDITIONAL_PROPERTIES,
          item -> nested(item, ONLY, value -> schema(value, schema.get("additionalProperties"))));
    }
    if (schema.path("type").isTextual()) {
      nested(out, SchemaField.TYPE, type -> type.writeString(ONLY, schema.get("type").asText()));
    }
    if (schema.path("items").isObject()) {
      nested(
          out,
          SchemaField.ITEMS,
          items -> nested(items, ONLY, value -> schema(value, schema.get("items"))));
    }
    if (schema.path("properties").isObject()) {
      nested(out, SchemaField.PROPERTIES, below -> namedSchemas(below, schema.get("properties")));
    }
    extensions(out, SchemaField.EXTENSION, schema);
  }

  private static void extensions(CodedOutputStream out, int field, JsonNode node)
      throws IOException {
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      if (entry.getKey().startsWith("x-")) {
        nested(
            out,
            field,
            named -> {
              named.writeString(NAME, entry.getKey());
              // JSON is YAML.
              nested(named, VALUE, any -> any.writeString(ANY_YAML, Json.text(entry.getValue())));
            });
      }
    }
  }

  private static void text(CodedOutputStream out, int field, JsonNode value) throws IOException {
    if (value.isTextual()) {
      out.writeString(field, value.asText());
    }
  }

  private static void nested(CodedOutputStream out, int field, Body body) throws IOException {
    out.writeByteArray(field, message(body));
  }

  private static byte[] message(Body body) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    body.write(out);
    out.flush();
    return bytes.toByteArray();
  }
}
