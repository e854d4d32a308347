package dev.vfio.migration.sandbox.apiserver;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** The events of a watch, one by one. */
final class WatchLines implements AutoCloseable {
  private final BufferedReader reader;

  WatchLines(InputStream body) {
    this.reader = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
  }

  /** The next event; null when the server has ended the watch. */
  JsonNode next() throws IOException {
    String line = reader.readLine();
    return line == null ? null : Json.parse(line);
  }

  /** The next event as type and name. */
  String nextInShort() throws IOException {
    JsonNode event = next();
    return event == null
        ? "end"
        : event.path("type").asText() + " " + Json.textAt(event, "object", "metadata", "name");
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
