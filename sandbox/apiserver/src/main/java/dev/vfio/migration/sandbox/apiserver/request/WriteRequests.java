package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.apply.FieldOwnership;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.patch.PatchType;
import dev.vfio.migration.sandbox.apiserver.request.Bodies.Body;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.UnknownFields;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.StaleRevisionException;
import java.time.Instant;
import java.util.List;

/** Answers create, update and patch. */
final class WriteRequests {
  private static final int ATTEMPTS = 20;

  private final ObjectStore store;
  private final Admission admission;
  private final Commits commits;

  WriteRequests(ObjectStore store) {
    this.store = store;
    this.admission = new Admission();
    this.commits = new Commits(store);
  }

  Reply create(ApiRequest request, RequestTarget target) {
    WriteContext context = new WriteContext(request, target);
    Body body = Bodies.read(request);
    ObjectNode object = incoming(body.tree(), target);
    ObjectNode stored =
        create(context, Conversion.toStored(object, target.type()), body.duplicates(), false);
    return answer(201, context, stored);
  }

  Reply update(ApiRequest request, RequestTarget target) {
    WriteContext context = new WriteContext(request, target);
    Body body = Bodies.read(request);
    ObjectNode sent = Conversion.toStored(incoming(body.tree(), target), target.type());
    String name = Json.textAt(sent, "metadata", "name");
    if (!name.equals(target.name())) {
      throw Failures.badRequest(
          name.isEmpty()
              ? "name must be provided"
              : "the name of the object (%s) does not match the name on the URL (%s)"
                  .formatted(name, target.name()));
    }
    admission.normalise(context, sent, body.duplicates());
    if (target.type().custom() && Json.textAt(sent, "metadata", "resourceVersion").isEmpty()) {
      throw Failures.invalid(
          target.type(),
          name,
          List.of(
              new Cause(
                  "FieldValueInvalid",
                  "Invalid value: 0: must be specified for an update",
                  "metadata.resourceVersion")));
    }
    return answer(200, context, change(context, live -> sent.deepCopy(), false));
  }

  Reply patch(ApiRequest request, RequestTarget target) {
    PatchType kind = PatchType.of(Bodies.mediaType(request), target.type());
    WriteContext context = new WriteContext(request, target);
    Body body = Bodies.readPatch(request);
    if (kind == PatchType.APPLY) {
      return apply(context, body);
    }
    ResourceType type = target.type();
    ObjectNode stored =
        change(
            context,
            live -> {
              ObjectNode served = Conversion.toServed(live, type).deepCopy();
              ObjectNode patched = kind.patched(served, body.tree(), type);
              requireSameKind(patched, type);
              ObjectNode next = Conversion.toStored(patched, type);
              admission.normalise(context, next, body.duplicates());
              return next;
            },
            false);
    return answer(200, context, stored);
  }

  private Reply apply(WriteContext context, Body body) {
    RequestTarget target = context.target();
    if (context.request().parameter("fieldManager").isEmpty()) {
      throw Failures.badRequest(
          "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for"
              + " apply patch");
    }
    ObjectNode applied = Conversion.toStored(incoming(body.tree(), target), target.type());
    ObjectNode metadata = Json.metadata(applied);
    if (metadata.path("managedFields").size() > 0) {
      throw Failures.badRequest("metadata.managedFields must be nil");
    }
    String name = metadata.path("name").asText("");
    if (!name.isEmpty() && !name.equals(target.name())) {
      throw Failures.badRequest(
          "the name of the object (%s) does not match the name on the URL (%s)"
              .formatted(name, target.name()));
    }
    metadata.put("name", target.name());
    context.report(List.of(), body.duplicates());
    refuseUndeclared(applied, target.type());
    narrow(context, applied);
    boolean force = context.request().flag("force");
    boolean exists = store.get(target.key()).isPresent();
    if (!exists && target.subresource().isEmpty()) {
      if (!Json.textAt(metadata, "resourceVersion").isEmpty()
          || !Json.textAt(metadata, "uid").isEmpty()) {
        throw Failures.conflict(
            target.type(),
            target.name(),
            "uid or resourceVersion was given, and there is no such object");
      }
      ObjectNode created =
          FieldOwnership.apply(Json.object(), applied, context.writer(), force, Instant.now());
      return answer(201, context, create(context, created, List.of(), true));
    }
    ObjectNode stored =
        change(
            context,
            live -> {
              checkPreconditions(target, applied, live);
              ObjectNode next =
                  FieldOwnership.apply(live, applied, context.writer(), force, Instant.now());
              admission.normalise(context, next, List.of());
              return next;
            },
            true);
    return answer(200, context, stored);
  }

  private interface Change {
    ObjectNode of(ObjectNode live);
  }

  /**
   * Reads, changes and writes, again and again while others write in between, unless the client
   * said which version it saw.
   */
  private ObjectNode change(WriteContext context, Change change, boolean ownershipKnown) {
    RequestTarget target = context.target();
    ObjectKey key = target.key();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      ObjectNode live =
          store.get(key).orElseThrow(() -> Failures.notFound(target.type(), target.name()));
      ObjectNode next = change.of(live);
      checkPreconditions(target, next, live);
      admission.prepareUpdate(context, live, next);
      admission.validate(context, next, live);
      if (!ownershipKnown) {
        FieldOwnership.recordUpdate(live, next, context.writer(), Instant.now());
      }
      try {
        return commits.update(key, live, next, context.dryRun());
      } catch (StaleRevisionException e) {
        // Somebody wrote in between: read again. If the client named a version, the next check
        // refuses its request.
      }
    }
    throw Failures.stale(target.type(), target.name());
  }

  private ObjectNode create(
      WriteContext context, ObjectNode object, List<String> duplicates, boolean ownershipKnown) {
    RequestTarget target = context.target();
    requireNamespace(target);
    if (!ownershipKnown) {
      admission.normalise(context, object, duplicates);
    }
    // Defaults that are filled in after an apply belong to nobody; those of an ordinary creation to
    // its writer.
    JsonNode managedFields = Json.metadata(object).remove("managedFields");
    admission.prepareCreate(context, object);
    if (!ownershipKnown) {
      FieldOwnership.recordUpdate(Json.object(), object, context.writer(), Instant.now());
    } else {
      admission.normalise(context, object, duplicates);
      if (managedFields != null) {
        Json.metadata(object).set("managedFields", managedFields);
      }
    }
    admission.validate(context, object, null);
    ObjectKey key =
        new ObjectKey(
            target.type().storage(), target.namespace(), Json.textAt(object, "metadata", "name"));
    if (store.get(key).isPresent()) {
      throw Failures.alreadyExists(target.type(), key.name());
    }
    if (context.dryRun()) {
      return object;
    }
    try {
      return store.put(key, 0, object);
    } catch (StaleRevisionException e) {
      throw Failures.alreadyExists(target.type(), key.name());
    }
  }

  private void requireNamespace(RequestTarget target) {
    if (!target.type().namespaced()) {
      return;
    }
    if (target.namespace().isEmpty()) {
      throw Failures.badRequest("an empty namespace may not be set during creation");
    }
    ObjectNode namespace =
        store
            .get(new ObjectKey("namespaces", "", target.namespace()))
            .orElseThrow(
                () -> Failures.of(404, "namespaces \"" + target.namespace() + "\" not found"));
    if (!Json.textAt(namespace, "metadata", "deletionTimestamp").isEmpty()) {
      throw Failures.forbidden(
          target.type(),
          target.name(),
          "unable to create new content in namespace %s because it is being terminated"
              .formatted(target.namespace()));
    }
  }

  private Reply answer(int code, WriteContext context, ObjectNode stored) {
    Presentation presentation = Presentation.of(context.request());
    return Reply.json(code, presentation.object(stored, context.type()))
        .withWarnings(context.warnings());
  }

  private static ObjectNode incoming(JsonNode tree, RequestTarget target) {
    if (!(tree instanceof ObjectNode object)) {
      throw Failures.badRequest("the body of the request is not an object");
    }
    requireSameKind(object, target.type());
    String namespace = Json.textAt(object, "metadata", "namespace");
    if (target.type().namespaced()
        && !namespace.isEmpty()
        && !namespace.equals(target.namespace())) {
      throw Failures.badRequest(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
    ObjectNode copy = object.deepCopy();
    if (target.type().namespaced()) {
      Json.metadata(copy).put("namespace", target.namespace());
    }
    return copy;
  }

  private static void requireSameKind(ObjectNode object, ResourceType type) {
    String kind = Json.textAt(object, "kind");
    String apiVersion = Json.textAt(object, "apiVersion");
    if (kind.isEmpty() || apiVersion.isEmpty()) {
      throw Failures.badRequest(
          "Object '%s' is missing in the body of the request"
              .formatted(kind.isEmpty() ? "Kind" : "apiVersion"));
    }
    if (!apiVersion.equals(type.apiVersion())) {
      throw Failures.badRequest(
          "the API version in the data (%s) does not match the expected API version (%s)"
              .formatted(apiVersion, type.apiVersion()));
    }
    if (!kind.equals(type.kind())) {
      throw Failures.badRequest(
          "the kind in the data (%s) does not match the expected kind (%s)"
              .formatted(kind, type.kind()));
    }
  }

  private static void checkPreconditions(RequestTarget target, ObjectNode next, ObjectNode live) {
    String wantedVersion = Json.textAt(next, "metadata", "resourceVersion");
    if (!wantedVersion.isEmpty()
        && !wantedVersion.equals(Json.textAt(live, "metadata", "resourceVersion"))) {
      throw Failures.stale(target.type(), target.name());
    }
    String wantedUid = Json.textAt(next, "metadata", "uid");
    String uid = Json.textAt(live, "metadata", "uid");
    if (!wantedUid.isEmpty() && !wantedUid.equals(uid)) {
      throw Failures.conflict(
          target.type(),
          target.name(),
          "Precondition failed: UID in precondition: %s, UID in object meta: %s"
              .formatted(wantedUid, uid));
    }
  }

  /** An applied configuration names fields that it wants to own: none of them may be unknown. */
  private static void refuseUndeclared(ObjectNode applied, ResourceType type) {
    List<String> unknown = UnknownFields.find(applied, type.schema());
    if (!unknown.isEmpty()) {
      throw Failures.unforeseen(
          "failed to create typed patch object (%s/%s; %s, Kind=%s): .%s: field not declared in schema"
              .formatted(
                  Json.textAt(applied, "metadata", "namespace"),
                  Json.textAt(applied, "metadata", "name"),
                  type.apiVersion(),
                  type.kind(),
                  unknown.get(0)));
    }
  }

  /** Removes from a configuration what this request may not write. */
  private static void narrow(WriteContext context, ObjectNode applied) {
    if (context.toStatus()) {
      applied.retain("apiVersion", "kind", "metadata", "status");
      Json.metadata(applied).retain("name", "namespace", "uid", "resourceVersion");
    } else {
      applied.remove(
          context.writer().ignored().stream().filter(field -> !field.equals("metadata")).toList());
    }
  }
}
