package dev.vfio.migration.sandbox.apiserver.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;

/**
 * An error that is answered to the client as a Status object; thrown anywhere below the HTTP
 * handler.
 */
public final class ApiException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient ObjectNode status;
  private final int code;

  ApiException(int code, ObjectNode status) {
    super(Json.textAt(status, "message"));
    this.code = code;
    this.status = status;
  }

  /** The HTTP status code, 400 to 599. */
  public int code() {
    return code;
  }

  /** The reason of the Status, for example {@code NotFound}. */
  public String reason() {
    return Json.textAt(status, "reason");
  }

  /** The Status object that is sent. */
  public ObjectNode status() {
    return status;
  }
}
