package dev.vfio.migration.sandbox.apiserver.discovery;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.CodedOutputStream;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.function.Consumer;

/**
 * An OpenAPI v2 document in protobuf, as far as kubectl reads it. The numbers are the fields' of
 * package openapi.v2 in github.com/google/gnostic, openapiv2/OpenAPIv2.proto; the comments name
 * them. Stateless.
 */
final class OpenApiProtobuf {
  /** In messages that hold one entry of a map. */
  private static final int NAME = 1;

  private static final int VALUE = 2;

  /** In messages that wrap one field. */
  private static final int ONLY = 1;

  private OpenApiProtobuf() {}

  /** One message that is being written. */
  private static final class Message {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final CodedOutputStream out = CodedOutputStream.newInstance(bytes);

    private Message text(int field, JsonNode value) {
      return value.isTextual() ? text(field, value.asText()) : this;
    }

    private Message text(int field, String value) {
      try {
        out.writeString(field, value);
        return this;
      } catch (IOException e) {
        throw new UncheckedIOException("the OpenAPI document could not be encoded", e);
      }
    }

    private Message message(int field, Consumer<Message> content) {
      Message inner = new Message();
      content.accept(inner);
      try {
        out.writeByteArray(field, inner.toBytes());
        return this;
      } catch (IOException e) {
        throw new UncheckedIOException("the OpenAPI document could not be encoded", e);
      }
    }

    private byte[] toBytes() throws IOException {
      out.flush();
      return bytes.toByteArray();
    }
  }

  static byte[] encode(JsonNode document) {
    Message message = new Message();
    message.text(1, document.path("swagger"));
    message.message(
        2, // info: title, version
        info ->
            info.text(1, document.path("info").path("title"))
                .text(2, document.path("info").path("version")));
    message.message(8, paths -> paths(paths, document.path("paths")));
    message.message(9, definitions -> namedSchemas(definitions, document.path("definitions")));
    try {
      return message.toBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("the OpenAPI document could not be encoded", e);
    }
  }

  private static void paths(Message message, JsonNode paths) {
    for (Map.Entry<String, JsonNode> path : paths.properties()) {
      JsonNode patch = path.getValue().path("patch");
      message.message(
          2, // path
          entry ->
              entry
                  .text(NAME, path.getKey())
                  .message(VALUE, item -> item.message(8, operation -> patch(operation, patch))));
    }
  }

  private static void patch(Message operation, JsonNode patch) {
    for (JsonNode parameter : patch.path("parameters")) {
      operation.message(
          8, // parameters
          item ->
              item.message(
                  ONLY,
                  either ->
                      either.message(
                          2, // non_body_parameter
                          nonBody ->
                              nonBody.message(
                                  3, // query_parameter_sub_schema: in, name, type
                                  query ->
                                      query
                                          .text(2, parameter.path("in"))
                                          .text(4, parameter.path("name"))
                                          .text(6, parameter.path("type"))))));
    }
    extensions(operation, 13, patch);
  }

  private static void namedSchemas(Message message, JsonNode schemas) {
    for (Map.Entry<String, JsonNode> schema : schemas.properties()) {
      message.message(
          ONLY,
          entry ->
              entry
                  .text(NAME, schema.getKey())
                  .message(VALUE, value -> schema(value, schema.getValue())));
    }
  }

  private static void schema(Message message, JsonNode schema) {
    message
        .text(1, schema.path("$ref"))
        .text(2, schema.path("format"))
        .text(4, schema.path("description"));
    schema.path("required").forEach(name -> message.text(19, name));
    JsonNode additional = schema.path("additionalProperties");
    if (additional.isObject()) {
      message.message(21, item -> item.message(ONLY, value -> schema(value, additional)));
    }
    if (schema.path("type").isTextual()) {
      message.message(22, type -> type.text(ONLY, schema.path("type")));
    }
    if (schema.path("items").isObject()) {
      message.message(
          23, items -> items.message(ONLY, value -> schema(value, schema.get("items"))));
    }
    if (schema.path("properties").isObject()) {
      message.message(25, properties -> namedSchemas(properties, schema.get("properties")));
    }
    extensions(message, 31, schema);
  }

  private static void extensions(Message message, int field, JsonNode node) {
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      if (entry.getKey().startsWith("x-")) {
        // The value is YAML; JSON is YAML.
        message.message(
            field,
            named ->
                named
                    .text(NAME, entry.getKey())
                    .message(VALUE, any -> any.text(2, Json.text(entry.getValue()))));
      }
    }
  }
}
