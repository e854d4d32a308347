package dev.vfio.migration.sandbox.apiserver.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The errors of the Kubernetes API, worded and coded as a kube-apiserver does (k8s.io/apimachinery,
 * package api/errors), because clients and people read them.
 */
public final class Failures {
  private Failures() {}

  /** 404: no such object. */
  public static ApiException notFound(ResourceType type, String name) {
    return of(
        404,
        "NotFound",
        "%s \"%s\" not found".formatted(qualified(type), name),
        details(type.group(), type.plural(), name));
  }

  /** 404: no such path or kind at all. */
  public static ApiException noSuchPath() {
    return of(404, "NotFound", "the server could not find the requested resource", Json.object());
  }

  /** 409: an object of that name is there already. */
  public static ApiException alreadyExists(ResourceType type, String name) {
    return of(
        409,
        "AlreadyExists",
        "%s \"%s\" already exists".formatted(qualified(type), name),
        details(type.group(), type.plural(), name));
  }

  /** 409: the object is not in the version or state that the request wants. */
  public static ApiException conflict(ResourceType type, String name, String why) {
    return of(
        409,
        "Conflict",
        "Operation cannot be fulfilled on %s \"%s\": %s".formatted(qualified(type), name, why),
        details(type.group(), type.plural(), name));
  }

  /** 409: the object changed since the client read it. */
  public static ApiException stale(ResourceType type, String name) {
    return conflict(
        type,
        name,
        "the object has been modified; please apply your changes to the latest version and try"
            + " again");
  }

  /** 409 of server-side apply: other managers own fields that the request would change. */
  public static ApiException applyConflict(String message, List<Cause> causes) {
    ObjectNode details = Json.object();
    details.set("causes", causes(causes));
    return of(409, "Conflict", message, details);
  }

  /** 422: the object breaks rules; every broken one is listed. */
  public static ApiException invalid(ResourceType type, String name, List<Cause> causes) {
    List<String> texts =
        causes.stream().map(Failures::text).distinct().collect(Collectors.toList());
    String list =
        texts.size() == 1
            ? texts.get(0)
            : texts.stream().collect(Collectors.joining(", ", "[", "]"));
    String kind = type.group().isEmpty() ? type.kind() : type.kind() + "." + type.group();
    ObjectNode details = details(type.group(), type.kind(), name);
    details.set("causes", causes(causes));
    return of(422, "Invalid", "%s \"%s\" is invalid: %s".formatted(kind, name, list), details);
  }

  /** 422 without an object: the patch itself makes no sense. */
  public static ApiException unprocessable(String message) {
    return of(422, "Invalid", message, Json.object());
  }

  /** 400: the request makes no sense. */
  public static ApiException badRequest(String message) {
    return of(400, "BadRequest", message, null);
  }

  /** 403: understood and refused. */
  public static ApiException forbidden(ResourceType type, String name, String why) {
    return of(
        403,
        "Forbidden",
        "%s \"%s\" is forbidden: %s".formatted(qualified(type), name, why),
        details(type.group(), type.plural(), name));
  }

  /** 405: the verb is not there for this resource. */
  public static ApiException methodNotAllowed() {
    return of(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        Json.object());
  }

  /** 406: none of the asked media types can be given. */
  public static ApiException notAcceptable(String offered) {
    return of(
        406,
        "NotAcceptable",
        "only the following media types are accepted: " + offered,
        Json.object());
  }

  /** 410: the resource version or continue token is too old. */
  public static ApiException expired(String message) {
    return of(410, "Expired", message, null);
  }

  /** 413: the body is larger than the server takes. */
  public static ApiException tooLarge(int limitBytes) {
    return of(
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is " + limitBytes,
        Json.object());
  }

  /** 415: the body's media type is not served. */
  public static ApiException unsupportedMediaType(String message) {
    return of(415, "UnsupportedMediaType", message, Json.object());
  }

  /** 429: too much at once. */
  public static ApiException tooManyRequests(String message) {
    ObjectNode details = Json.object();
    details.put("retryAfterSeconds", 1);
    return of(429, "TooManyRequests", message, details);
  }

  /** 500. */
  public static ApiException internal(String message) {
    return of(500, "InternalError", "Internal error occurred: " + message, Json.object());
  }

  /**
   * 500 with nothing but a message, as a kube-apiserver answers where it did not foresee an error.
   */
  public static ApiException unforeseen(String message) {
    return of(500, "", message, Json.object());
  }

  /** Any other code; the reason is the one Kubernetes pairs with it. */
  public static ApiException of(int code, String message) {
    String reason =
        switch (code) {
          case 400 -> "BadRequest";
          case 401 -> "Unauthorized";
          case 403 -> "Forbidden";
          case 404 -> "NotFound";
          case 409 -> "Conflict";
          case 410 -> "Gone";
          case 422 -> "Invalid";
          case 429 -> "TooManyRequests";
          case 500 -> "InternalError";
          case 503 -> "ServiceUnavailable";
          case 504 -> "Timeout";
          default -> "";
        };
    return of(code, reason, message, Json.object());
  }

  private static ApiException of(int code, String reason, String message, ObjectNode details) {
    ObjectNode status = Json.object();
    status.put("kind", "Status").put("apiVersion", "v1");
    status.putObject("metadata");
    status.put("status", "Failure").put("message", message).put("reason", reason);
    if (details != null) {
      status.set("details", details);
    }
    status.put("code", code);
    return new ApiException(code, status);
  }

  private static ObjectNode details(String group, String kind, String name) {
    ObjectNode details = Json.object();
    details.put("name", name);
    if (!group.isEmpty()) {
      details.put("group", group);
    }
    return details.put("kind", kind);
  }

  private static ArrayNode causes(List<Cause> causes) {
    ArrayNode array = Json.array();
    for (Cause cause : causes) {
      array
          .addObject()
          .put("reason", cause.reason())
          .put("message", cause.message())
          .put("field", cause.field());
    }
    return array;
  }

  private static String text(Cause cause) {
    return cause.field().isEmpty() ? cause.message() : cause.field() + ": " + cause.message();
  }

  private static String qualified(ResourceType type) {
    return type.group().isEmpty() ? type.plural() : type.plural() + "." + type.group();
  }
}
