package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions.Options;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions.Outcome;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions.Propagation;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore.Listing;
import java.util.Set;

/** Answers delete and deletecollection. */
final class DeleteRequests {
  private static final Set<String> ANSWERED_BY_OBJECT = Set.of("Pod", "Service");

  private final ObjectStore store;
  private final Deletions deletions;

  DeleteRequests(ObjectStore store, Deletions deletions) {
    this.store = store;
    this.deletions = deletions;
  }

  Reply delete(ApiRequest request, RequestTarget target) {
    Outcome outcome = deletions.delete(target.type(), target.key(), options(request));
    if (outcome.removed() && !ANSWERED_BY_OBJECT.contains(target.type().kind())) {
      return Reply.json(200, success(target.type(), outcome.object()));
    }
    return Reply.json(200, Presentation.of(request).object(outcome.object(), target.type()));
  }

  Reply deleteCollection(ApiRequest request, RequestTarget target) {
    ResourceType type = target.type();
    Options options = options(request);
    Presentation presentation = Presentation.of(request);
    Listing listing =
        store.list(type.storage(), target.namespace(), ReadRequests.selector(request, target));
    for (ObjectNode object : listing.objects()) {
      ObjectKey key =
          new ObjectKey(
              type.storage(),
              Json.textAt(object, "metadata", "namespace"),
              Json.textAt(object, "metadata", "name"));
      try {
        deletions.delete(type, key, options);
      } catch (ApiException e) {
        if (e.code() != 404) {
          throw e;
        }
      }
    }
    ObjectNode metadata = Json.object();
    metadata.put("resourceVersion", Long.toString(listing.revision()));
    return Reply.json(200, presentation.list(listing.objects(), metadata, type));
  }

  private static Options options(ApiRequest request) {
    JsonNode body = request.body().length == 0 ? null : Bodies.read(request).tree();
    String policy = parameter(request, body, "propagationPolicy");
    JsonNode orphan = body == null ? null : body.get("orphanDependents");
    if (policy.isEmpty() && orphan != null && orphan.isBoolean()) {
      policy = orphan.asBoolean() ? "Orphan" : "Background";
    }
    Propagation propagation =
        switch (policy) {
          case "", "Background" -> Propagation.BACKGROUND;
          case "Foreground" -> Propagation.FOREGROUND;
          case "Orphan" -> Propagation.ORPHAN;
          default ->
              throw Failures.unprocessable(
                  ("DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported"
                          + " value: \"%s\": supported values: \"Foreground\", \"Background\","
                          + " \"Orphan\", \"nil\"")
                      .formatted(policy));
        };
    boolean dryRun =
        WriteContext.dryRun(request)
            || body != null && Json.at(body, "dryRun").path(0).asText("").equals("All");
    return new Options(
        propagation,
        Json.textAt(body, "preconditions", "uid"),
        Json.textAt(body, "preconditions", "resourceVersion"),
        dryRun);
  }

  private static String parameter(ApiRequest request, JsonNode body, String name) {
    String inBody = Json.textAt(body, name);
    return inBody.isEmpty() ? request.parameter(name).orElse("") : inBody;
  }

  private static ObjectNode success(ResourceType type, ObjectNode object) {
    ObjectNode status = Json.object();
    status.put("kind", "Status").put("apiVersion", "v1");
    status.putObject("metadata");
    status.put("status", "Success");
    ObjectNode details = status.putObject("details");
    details.put("name", Json.textAt(object, "metadata", "name"));
    if (!type.group().isEmpty()) {
      details.put("group", type.group());
    }
    details.put("kind", type.plural()).put("uid", Json.textAt(object, "metadata", "uid"));
    return status;
  }
}
