package dev.vfio.migration.sandbox.apiserver.request;

import dev.vfio.migration.sandbox.apiserver.apply.FieldOwnership;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** What the query of a write asks for, and the warnings of its answer. Used by one thread. */
final class WriteContext {
  private enum Strictness {
    IGNORE,
    WARN,
    STRICT
  }

  private final ApiRequest request;
  private final RequestTarget target;
  private final boolean dryRun;
  private final String manager;
  private final Strictness strictness;
  private final List<String> warnings = new ArrayList<>();

  WriteContext(ApiRequest request, RequestTarget target) {
    this.request = request;
    this.target = target;
    this.dryRun = dryRun(request);
    this.manager = request.parameter("fieldManager").orElse(request.program());
    if (manager.length() > 128) {
      throw Failures.unprocessable("fieldManager: Too long: may not be more than 128 bytes");
    }
    this.strictness =
        switch (request.parameter("fieldValidation").orElse("Warn")) {
          case "Ignore" -> Strictness.IGNORE;
          case "Warn" -> Strictness.WARN;
          case "Strict" -> Strictness.STRICT;
          default ->
              throw Failures.unprocessable(
                  "fieldValidation: Unsupported value: \"%s\": supported values: \"Ignore\", \"Strict\", \"Warn\""
                      .formatted(request.parameter("fieldValidation").get()));
        };
  }

  static boolean dryRun(ApiRequest request) {
    String value = request.parameter("dryRun").orElse("");
    if (!value.isEmpty() && !value.equals("All")) {
      throw Failures.unprocessable(
          "dryRun: Unsupported value: \"%s\": supported values: \"All\"".formatted(value));
    }
    return value.equals("All");
  }

  ApiRequest request() {
    return request;
  }

  RequestTarget target() {
    return target;
  }

  ResourceType type() {
    return target.type();
  }

  boolean dryRun() {
    return dryRun;
  }

  List<String> warnings() {
    return List.copyOf(warnings);
  }

  boolean toStatus() {
    return target.subresource().equals("status");
  }

  /** Who owns the fields that this request writes. */
  FieldOwnership.Writer writer() {
    List<String> ignored =
        toStatus()
            ? List.of("metadata", "spec")
            : type().hasStatus() && !Admission.keepsStatus(type()) ? List.of("status") : List.of();
    return new FieldOwnership.Writer(
        manager, type().apiVersion(), target.subresource(), ignored, type().schema());
  }

  /**
   * Refuses, warns of, or ignores, as the client wants it, fields that the kind does not have and
   * fields that were written twice.
   */
  void report(Collection<String> unknown, Collection<String> duplicates) {
    List<String> texts = new ArrayList<>();
    duplicates.forEach(path -> texts.add("duplicate field \"" + path + "\""));
    unknown.forEach(path -> texts.add("unknown field \"" + path + "\""));
    if (texts.isEmpty() || strictness == Strictness.IGNORE) {
      return;
    }
    if (strictness == Strictness.STRICT) {
      String error = "strict decoding error: " + String.join(", ", texts);
      throw request.method().equals("PATCH")
          ? Failures.unprocessable(" \"\" is invalid: patch: Invalid value: " + error)
          : Failures.badRequest(
              "%s in version \"%s\" cannot be handled as a %s: %s"
                  .formatted(type().kind(), type().version(), type().kind(), error));
    }
    warnings.addAll(texts);
  }
}
