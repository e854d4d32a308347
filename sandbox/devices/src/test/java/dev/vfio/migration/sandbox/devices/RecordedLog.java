package dev.vfio.migration.sandbox.devices;

import dev.vfio.migration.sandbox.devices.lines.JsonObjects;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** A device's log in memory, to be read as events. */
public final class RecordedLog {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final EventLog log = EventLog.to(bytes, "node-a", "gpu-0");

  public EventLog log() {
    return log;
  }

  /** All events of that name so far. */
  public List<Map<String, Object>> events(String name) {
    return parse(bytes.toString(StandardCharsets.UTF_8)).stream()
        .filter(event -> name.equals(event.get("event")))
        .toList();
  }

  /** The events in the text of a log. */
  public static List<Map<String, Object>> parse(String text) {
    return text.lines().map(RecordedLog::event).toList();
  }

  private static Map<String, Object> event(String line) {
    try {
      return JsonObjects.parse(line);
    } catch (IOException e) {
      throw new UncheckedIOException("not an event: " + line, e);
    }
  }
}
