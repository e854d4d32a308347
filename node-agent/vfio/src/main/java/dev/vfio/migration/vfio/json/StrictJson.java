package dev.vfio.migration.vfio.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.vfio.migration.text.ForeignText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * JSON that somebody else wrote and that decides about data: one whole object in UTF-8, in which
 * nothing is said twice and nothing stands behind it. What is damaged or misspelt is refused, for
 * it is not the same as what was left out.
 */
public final class StrictJson {
  /** Members that begin so are the writer's own, and mean nothing in any version. */
  private static final String OF_THE_WRITER = "x-";

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private StrictJson() {}

  /** The text is not one whole JSON object; the message says what it is. */
  public static final class MalformedException extends IOException {
    private static final long serialVersionUID = 1L;

    private MalformedException(String message, Throwable cause) {
      super(ForeignText.quote(message), cause);
    }
  }

  /** Reads the object that these bytes are. */
  public static JsonNode object(byte[] bytes) throws MalformedException {
    try {
      return object(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException otherEncoding) {
      throw new MalformedException("it is not in UTF-8", otherEncoding);
    }
  }

  /** Reads the object that this text is. */
  public static JsonNode object(String text) throws MalformedException {
    if (text.isBlank()) {
      throw new MalformedException("it is empty, which is no JSON object", null);
    }
    try {
      JsonNode node = JSON.readTree(text);
      if (node.isObject()) {
        return node;
      }
    } catch (JsonProcessingException malformed) {
      throw new MalformedException("it is no JSON: " + malformed.getOriginalMessage(), malformed);
    }
    throw new MalformedException("it is no JSON object", null);
  }

  /** Whether the member is the whole number {@code known}, and not a text or a fraction of it. */
  public static boolean isNumber(JsonNode object, String member, int known) {
    JsonNode value = object.path(member);
    return value.isIntegralNumber() && value.canConvertToInt() && value.intValue() == known;
  }

  /**
   * What the member says, a whole number from 0 on.
   *
   * @throws MalformedException where it says anything else, or nothing
   */
  public static long count(JsonNode object, String member) throws MalformedException {
    JsonNode value = object.path(member);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw new MalformedException('"' + member + "\" is no number from 0 on", null);
    }
    return value.longValue();
  }

  /**
   * What the member says, a text that is not empty.
   *
   * @throws MalformedException where it says anything else, or nothing
   */
  public static String text(JsonNode object, String member) throws MalformedException {
    JsonNode value = object.path(member);
    if (!value.isTextual() || value.textValue().isBlank()) {
      throw new MalformedException('"' + member + "\" is no text", null);
    }
    return value.textValue();
  }

  /**
   * Members that this version does not know, as a part of a sentence; empty where there are none.
   * One that is misspelt is among them.
   */
  public static Optional<String> unknown(JsonNode object, Set<String> known, int protocol) {
    List<String> names = new ArrayList<>();
    object
        .fieldNames()
        .forEachRemaining(
            name -> {
              if (!known.contains(name) && !name.startsWith(OF_THE_WRITER)) {
                names.add('"' + name + '"');
              }
            });
    return names.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "has " + String.join(", ", names) + ", which protocol " + protocol + " does not know");
  }
}
