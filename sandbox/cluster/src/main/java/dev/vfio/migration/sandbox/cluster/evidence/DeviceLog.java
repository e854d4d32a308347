package dev.vfio.migration.sandbox.cluster.evidence;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.process.ProcessLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The log that a device process writes itself: JSON lines. Every handover is judged by it, and not
 * by what operator and agents say.
 */
public record DeviceLog(Path file) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * Every complete line so far, in order. A last line without its end is still being written and
   * left out.
   *
   * @throws IOException where a complete line is not JSON
   */
  public List<DeviceEvent> events() throws IOException {
    List<DeviceEvent> events = new ArrayList<>();
    for (String line : new ProcessLog(file).lines()) {
      events.add(parse(line));
    }
    return List.copyOf(events);
  }

  private DeviceEvent parse(String line) throws IOException {
    JsonNode fields;
    try {
      fields = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new IOException(file + " has a line that is not JSON: " + line, e);
    }
    if (!fields.path("t").isIntegralNumber() || !fields.path("event").isTextual()) {
      throw new IOException(file + " has a line without t and event: " + line);
    }
    return new DeviceEvent(
        fields.get("t").asLong(),
        fields.path("node").asText(),
        fields.path("device").asText(),
        fields.get("event").asText(),
        fields);
  }
}
