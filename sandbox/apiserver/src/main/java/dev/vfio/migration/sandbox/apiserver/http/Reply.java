package dev.vfio.migration.sandbox.apiserver.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * One whole HTTP answer.
 *
 * @param code HTTP status code
 * @param contentType media type of the body
 * @param body not copied, so not to be changed
 * @param warnings texts of Warning headers, which kubectl prints
 */
public record Reply(int code, String contentType, byte[] body, List<String> warnings)
    implements Answer {
  private static final String JSON = "application/json";

  /** A JSON answer. */
  public static Reply json(int code, JsonNode body) {
    return new Reply(code, JSON, Json.bytes(body), List.of());
  }

  /** A plain text answer. */
  public static Reply text(int code, String text) {
    return new Reply(code, "text/plain", text.getBytes(StandardCharsets.UTF_8), List.of());
  }

  /** The Status object of an error. */
  public static Reply failure(ApiException e) {
    return json(e.code(), e.status());
  }

  /** The same with warnings added. */
  public Reply withWarnings(List<String> more) {
    if (more.isEmpty()) {
      return this;
    }
    List<String> all = new ArrayList<>(warnings);
    all.addAll(more);
    return new Reply(code, contentType, body, List.copyOf(all));
  }

  /** The same with another media type. */
  public Reply as(String type) {
    return new Reply(code, type, body, warnings);
  }
}
