package dev.vfio.migration.sandbox.apiserver.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The JSON tree operations that every part of the server shares. Trees that came out of the store
 * are never changed: copy them with {@code deepCopy} first.
 */
public final class Json {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private Json() {}

  /** The mapper; stateless for callers and safe for any thread. */
  public static ObjectMapper mapper() {
    return MAPPER;
  }

  /** A new empty object. */
  public static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  /** A new empty array. */
  public static ArrayNode array() {
    return MAPPER.createArrayNode();
  }

  /** An array of strings. */
  public static ArrayNode strings(Iterable<String> values) {
    ArrayNode array = array();
    values.forEach(array::add);
    return array;
  }

  /** The texts of an array; none if the node is absent. */
  public static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(text -> texts.add(text.asText()));
    return List.copyOf(texts);
  }

  /** Compact UTF-8 text of a tree. */
  public static byte[] bytes(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException("a JSON tree could not be written as text", e);
    }
  }

  /** Compact text of a tree. */
  public static String text(JsonNode node) {
    try {
      return MAPPER.writeValueAsString(node);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException("a JSON tree could not be written as text", e);
    }
  }

  /** Reads text that this program wrote itself or that was checked before. */
  public static JsonNode parse(String text) {
    try {
      return MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** The node at a path of field names; a missing node (never null) where there is none. */
  public static JsonNode at(JsonNode node, String... path) {
    JsonNode current = node;
    for (String field : path) {
      if (current == null) {
        return MissingNode.getInstance();
      }
      current = current.path(field);
    }
    return current == null ? MissingNode.getInstance() : current;
  }

  /** The text at a path of field names, or an empty string. */
  public static String textAt(JsonNode node, String... path) {
    return at(node, path).asText("");
  }

  /** The object in a field, made if there is none (or something that is not an object). */
  public static ObjectNode child(ObjectNode parent, String field) {
    return parent.get(field) instanceof ObjectNode existing ? existing : parent.putObject(field);
  }

  /** The metadata of a Kubernetes object, made if there is none. */
  public static ObjectNode metadata(ObjectNode object) {
    return child(object, "metadata");
  }

  /** Whether a field is absent or null. */
  public static boolean absent(JsonNode node) {
    return node == null || node.isMissingNode() || node.isNull();
  }

  /** Equality in which 1, 1L and 1.0 are the same number, as in Kubernetes' own comparisons. */
  public static boolean same(JsonNode left, JsonNode right) {
    if (left == null || right == null) {
      return left == right;
    }
    return left.equals(Json::compareLeaves, right);
  }

  private static int compareLeaves(JsonNode left, JsonNode right) {
    if (left.equals(right)) {
      return 0;
    }
    if (left.isNumber() && right.isNumber()) {
      return left.decimalValue().compareTo(right.decimalValue());
    }
    return 1;
  }
}
