package dev.vfio.migration.sandbox.apiserver.patch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import io.fabric8.zjsonpatch.JsonPatch;
import io.fabric8.zjsonpatch.JsonPatchException;

/** The types of patch, and what each makes of an object. */
public enum PatchType {
  /** RFC 6902. */
  JSON("application/json-patch+json"),
  /** RFC 7396. */
  MERGE("application/merge-patch+json"),
  /** Lists of built-in kinds merge by key. */
  STRATEGIC("application/strategic-merge-patch+json"),
  /** Server-side apply. */
  APPLY("application/apply-patch+yaml");

  private static final int MAX_OPERATIONS = 10_000;

  private final String mediaType;

  PatchType(String mediaType) {
    this.mediaType = mediaType;
  }

  /**
   * The type of a media type.
   *
   * @throws dev.vfio.migration.sandbox.apiserver.http.ApiException 415 if the kind has none such
   */
  public static PatchType of(String mediaType, ResourceType type) {
    for (PatchType patch : values()) {
      if (patch.mediaType.equals(mediaType) && !(patch == STRATEGIC && type.custom())) {
        return patch;
      }
    }
    String accepted =
        JSON.mediaType
            + ", "
            + MERGE.mediaType
            + (type.custom() ? "" : ", " + STRATEGIC.mediaType)
            + ", "
            + APPLY.mediaType;
    throw Failures.unsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
            + accepted
            + "; this was "
            + mediaType);
  }

  /**
   * The patched object, in the version of the request. Not for server-side apply, which needs the
   * field manager.
   */
  public ObjectNode patched(ObjectNode live, JsonNode patch, ResourceType type) {
    JsonNode result =
        switch (this) {
          case JSON -> json(live, patch);
          case MERGE -> MergePatch.apply(live, object(patch));
          case STRATEGIC -> strategic(live, object(patch), type);
          case APPLY ->
              throw new IllegalStateException("server-side apply needs the field manager");
        };
    if (result instanceof ObjectNode object) {
      return object;
    }
    throw Failures.unprocessable("the patch leaves no object");
  }

  private static JsonNode json(ObjectNode live, JsonNode patch) {
    if (patch == null || !patch.isArray()) {
      throw Failures.badRequest("a JSON patch is a list of operations");
    }
    if (patch.size() > MAX_OPERATIONS) {
      throw Failures.of(
          413,
          "The allowed maximum operations in a JSON patch is %d, got %d"
              .formatted(MAX_OPERATIONS, patch.size()));
    }
    try {
      return JsonPatch.apply(patch, live);
    } catch (JsonPatchException | IllegalArgumentException e) {
      throw Failures.unprocessable(
          "the server rejected our request due to an error in our request: " + e.getMessage());
    }
  }

  private static JsonNode strategic(ObjectNode live, JsonNode patch, ResourceType type) {
    try {
      return StrategicMergePatch.apply(live, patch, type.schema());
    } catch (IllegalArgumentException e) {
      throw Failures.badRequest(e.getMessage());
    }
  }

  private static JsonNode object(JsonNode patch) {
    if (patch == null || !patch.isObject()) {
      throw Failures.badRequest(
          "the patch is not an object: " + (patch == null ? "nothing" : Json.text(patch)));
    }
    return patch;
  }
}
