package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Reads request bodies, and lists the fields that occur twice in one object. */
final class Bodies {
  private static final ObjectMapper YAML = new YAMLMapper();

  private Bodies() {}

  /**
   * A body as a tree.
   *
   * @param tree null if the body is empty
   * @param duplicates paths of fields that occur more than once in one object
   */
  record Body(JsonNode tree, List<String> duplicates) {}

  /** The media type of a body, without parameters and in lower case. */
  static String mediaType(ApiRequest request) {
    return request.header("Content-Type").split(";", 2)[0].trim().toLowerCase(Locale.ROOT);
  }

  /**
   * Reads an object, or options that come with a deletion, in any media type that the server takes.
   */
  static Body read(ApiRequest request) {
    String mediaType = mediaType(request);
    return switch (mediaType) {
      case "", "application/json" -> parse(request.body(), Json.mapper(), "json");
      case "application/yaml" -> parse(request.body(), YAML, "yaml");
      case "application/vnd.kubernetes.protobuf" ->
          throw Failures.unsupportedMediaType(
              "this server takes no protobuf bodies (application/vnd.kubernetes.protobuf): send"
                  + " application/json or application/yaml; with kubectl use \"kubectl apply -f"
                  + " FILE\" or \"kubectl create -f FILE\" instead of imperative verbs");
      default ->
          throw Failures.unsupportedMediaType(
              "the body of the request was in an unknown format - accepted media types include:"
                  + " application/json, application/yaml; this was "
                  + mediaType);
    };
  }

  /**
   * Reads the body of a patch whose media type was checked before; YAML only for server-side apply.
   */
  static Body readPatch(ApiRequest request) {
    boolean yaml = mediaType(request).endsWith("+yaml");
    return parse(request.body(), yaml ? YAML : Json.mapper(), yaml ? "yaml" : "json");
  }

  private static Body parse(byte[] text, ObjectMapper mapper, String language) {
    if (text.length == 0) {
      return new Body(null, List.of());
    }
    List<String> duplicates = new ArrayList<>();
    try (JsonParser parser = mapper.createParser(text)) {
      if (parser.nextToken() == null) {
        return new Body(null, List.of());
      }
      JsonNode tree = value(parser, "", duplicates);
      if (parser.nextToken() != null) {
        throw Failures.badRequest(
            language + " parse error: there is more after the end of the object");
      }
      return new Body(tree, List.copyOf(duplicates));
    } catch (JsonProcessingException e) {
      String where =
          e.getLocation() == null
              ? ""
              : " in line %d, column %d"
                  .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr());
      throw Failures.badRequest(language + " parse error" + where + ": " + e.getOriginalMessage());
    } catch (IOException e) {
      throw Failures.badRequest(language + " parse error: " + e.getMessage());
    }
  }

  private static JsonNode value(JsonParser parser, String path, List<String> duplicates)
      throws IOException {
    if (parser.currentToken() == JsonToken.START_OBJECT) {
      ObjectNode object = Json.object();
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        String at = path.isEmpty() ? name : path + "." + name;
        if (object.has(name)) {
          duplicates.add(at);
        }
        parser.nextToken();
        object.set(name, value(parser, at, duplicates));
      }
      return object;
    }
    if (parser.currentToken() == JsonToken.START_ARRAY) {
      ArrayNode array = Json.array();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        array.add(value(parser, path + "[" + array.size() + "]", duplicates));
      }
      return array;
    }
    if (parser.currentToken() == JsonToken.VALUE_NUMBER_FLOAT
        && !Double.isFinite(parser.getDoubleValue())) {
      throw Failures.badRequest(
          "cannot unmarshal number into field " + path + ": it does not fit into 64 bits");
    }
    return parser.readValueAsTree();
  }
}
