package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import java.io.IOException;
import java.util.function.BiFunction;

/**
 * Reads a spec or status that may have been stored under another schema, by another version, or
 * before the CRD was mended.
 *
 * <p>An informer lists all objects at once: one that cannot be read would stop the operator from
 * starting. So what cannot be read becomes a value that says so, and the object is left alone with
 * a clear condition, while all others are served.
 *
 * @param <T> the record to read
 */
abstract class TolerantReader<T> extends JsonDeserializer<T> {
  private static final ObjectMapper PLAIN =
      new ObjectMapper()
          .configure(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES, false)
          .addMixIn(DeviceMigrationSpec.class, Plain.class)
          .addMixIn(DeviceMigrationStatus.class, Plain.class)
          .addMixIn(VfioNodeStatus.class, Plain.class);

  private final Class<T> type;
  private final BiFunction<JsonNode, String, T> unreadable;

  private TolerantReader(Class<T> type, BiFunction<JsonNode, String, T> unreadable) {
    this.type = type;
    this.unreadable = unreadable;
  }

  @Override
  public T deserialize(JsonParser parser, DeserializationContext context) throws IOException {
    JsonNode tree = context.readTree(parser);
    try {
      return PLAIN.treeToValue(tree, type);
    } catch (JsonProcessingException | IllegalArgumentException unreadableValue) {
      return unreadable.apply(tree, describe(unreadableValue));
    }
  }

  /** The two ends are enough to roll a migration back, whatever else cannot be read. */
  private static DeviceLocation location(JsonNode spec, String end) {
    JsonNode location = spec.path(end);
    JsonNode node = location.path("nodeName");
    JsonNode device = location.path("device");
    return node.isTextual() && device.isTextual()
        ? new DeviceLocation(node.textValue(), device.textValue())
        : null;
  }

  private static String describe(Exception problem) {
    String message =
        problem instanceof JsonProcessingException json
            ? json.getOriginalMessage()
            : problem.getMessage();
    String path =
        problem instanceof com.fasterxml.jackson.databind.JsonMappingException mapping
                && !mapping.getPath().isEmpty()
            ? mapping.getPath().get(mapping.getPath().size() - 1).getFieldName() + ": "
            : "";
    return path + message;
  }

  /**
   * Takes the tolerant reader off again, so that the records are read by their own rules inside it.
   */
  @JsonDeserialize(using = JsonDeserializer.None.class)
  private interface Plain {}

  static final class OfSpec extends TolerantReader<DeviceMigrationSpec> {
    OfSpec() {
      super(
          DeviceMigrationSpec.class,
          (tree, why) ->
              DeviceMigrationSpec.unreadable(
                  location(tree, "source"), location(tree, "destination"), why));
    }
  }

  static final class OfStatus extends TolerantReader<DeviceMigrationStatus> {
    OfStatus() {
      super(DeviceMigrationStatus.class, (tree, why) -> DeviceMigrationStatus.unreadable(why));
    }
  }

  /**
   * Only the operator writes this status: what it cannot read it asks for again and writes anew.
   */
  static final class OfNodeStatus extends TolerantReader<VfioNodeStatus> {
    OfNodeStatus() {
      super(VfioNodeStatus.class, (tree, why) -> VfioNodeStatus.EMPTY);
    }
  }
}
