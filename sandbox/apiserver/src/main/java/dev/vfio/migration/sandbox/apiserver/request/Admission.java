package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.builtin.KindRules;
import dev.vfio.migration.sandbox.apiserver.builtin.MetadataRules;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.Defaulting;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.UnknownFields;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Turns an incoming object into one that can be stored: sets the fields of the server and the
 * defaults, and checks every rule. Stateless.
 */
final class Admission {
  private static final String NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
  private static final int GENERATED_LENGTH = 5;
  private static final int MAX_PREFIX_LENGTH = 58;

  /** Kinds whose creators may give the status at once. */
  static boolean keepsStatus(ResourceType type) {
    return type.kind().equals("Node") && type.group().isEmpty();
  }

  /** Removes unknown fields, fills in defaults. The object is changed in place. */
  void normalise(WriteContext context, ObjectNode object, List<String> duplicates) {
    Schema schema = context.type().schema();
    context.report(UnknownFields.prune(object, schema), duplicates);
    dropNulls(object);
    Defaulting.apply(object, schema);
  }

  /** Sets what the server sets on a new object, in place. */
  void prepareCreate(WriteContext context, ObjectNode object) {
    ResourceType type = context.type();
    ObjectNode metadata = Json.metadata(object);
    if (!Json.textAt(metadata, "resourceVersion").isEmpty()) {
      throw Failures.badRequest("resourceVersion should not be set on objects to be created");
    }
    if (Json.textAt(metadata, "name").isEmpty()
        && !Json.textAt(metadata, "generateName").isEmpty()) {
      metadata.put("name", generateName(Json.textAt(metadata, "generateName")));
    }
    if (type.namespaced()) {
      metadata.put("namespace", context.target().namespace());
    } else {
      metadata.remove("namespace");
    }
    metadata.remove(
        List.of(
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "resourceVersion"));
    metadata.put("uid", UUID.randomUUID().toString());
    metadata.put("creationTimestamp", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    if (hasGeneration(type)) {
      metadata.put("generation", 1);
    }
    if (type.hasStatus() && !keepsStatus(type)) {
      object.remove("status");
    }
    KindRules.of(type).prepareCreate(object);
  }

  /**
   * Restores, in place, what this request may not write (a status write no spec and the other way
   * round) and what no client writes.
   */
  void prepareUpdate(WriteContext context, ObjectNode live, ObjectNode next) {
    ResourceType type = context.type();
    if (context.toStatus()) {
      JsonNode status = next.get("status");
      JsonNode managedFields = Json.at(next, "metadata", "managedFields");
      next.removeAll();
      next.setAll(live.deepCopy());
      next.remove("status");
      if (status != null) {
        next.set("status", status);
      }
      if (!managedFields.isMissingNode()) {
        Json.metadata(next).set("managedFields", managedFields);
      }
    } else if (type.hasStatus()) {
      next.remove("status");
      if (live.has("status")) {
        next.set("status", live.get("status").deepCopy());
      }
    }
    ObjectNode metadata = Json.metadata(next);
    metadata.remove("selfLink");
    for (String field :
        new String[] {
          "uid",
          "creationTimestamp",
          "generation",
          "deletionTimestamp",
          "deletionGracePeriodSeconds",
          "resourceVersion"
        }) {
      metadata.remove(field);
      JsonNode value = Json.at(live, "metadata", field);
      if (!value.isMissingNode()) {
        metadata.set(field, value);
      }
    }
    KindRules.of(type).prepareUpdate(live, next);
    if (metadata.has("generation") && specChanged(type, live, next)) {
      metadata.put("generation", Json.at(live, "metadata", "generation").asLong() + 1);
    }
  }

  /**
   * Checks everything that can be checked on the object alone and against what it was.
   *
   * @param live null for a creation
   */
  void validate(WriteContext context, ObjectNode next, ObjectNode live) {
    ResourceType type = context.type();
    List<Cause> causes = new ArrayList<>(MetadataRules.check(type, next, live));
    causes.addAll(KindRules.of(type).validate(next, live));
    causes.addAll(type.validator().validate(next, live));
    if (!causes.isEmpty()) {
      throw Failures.invalid(type, Json.textAt(next, "metadata", "name"), causes);
    }
  }

  private static boolean specChanged(ResourceType type, ObjectNode live, ObjectNode next) {
    return !Json.same(specOf(type, live), specOf(type, next));
  }

  /**
   * What generation counts: everything but metadata, and but status where status is written apart.
   */
  private static ObjectNode specOf(ResourceType type, ObjectNode object) {
    ObjectNode spec = object.deepCopy();
    spec.remove(List.of("metadata", "apiVersion", "kind"));
    if (type.hasStatus()) {
      spec.remove("status");
    }
    return spec;
  }

  private static boolean hasGeneration(ResourceType type) {
    return type.custom()
        || type.group().equals("apps")
        || type.kind().equals("CustomResourceDefinition");
  }

  /** A typed client sends an absent timestamp as null. */
  private static void dropNulls(ObjectNode object) {
    ObjectNode metadata = Json.metadata(object);
    List<String> nulls = new ArrayList<>();
    metadata.properties().stream()
        .filter(field -> field.getValue().isNull())
        .forEach(field -> nulls.add(field.getKey()));
    metadata.remove(nulls);
  }

  private static String generateName(String prefix) {
    StringBuilder name =
        new StringBuilder(
            prefix.length() > MAX_PREFIX_LENGTH ? prefix.substring(0, MAX_PREFIX_LENGTH) : prefix);
    for (int i = 0; i < GENERATED_LENGTH; i++) {
      name.append(
          NAME_ALPHABET.charAt(ThreadLocalRandom.current().nextInt(NAME_ALPHABET.length())));
    }
    return name.toString();
  }
}
