package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;

/** A CustomResourceDefinition is completed, checked and established when it is written. */
final class DefinitionRules implements KindRules {

  @Override
  public void prepareCreate(ObjectNode object) {
    complete(object);
    ObjectNode status = Json.child(object, "status");
    ArrayNode conditions = status.putArray("conditions");
    condition(conditions, "NamesAccepted", "NoConflicts", "no conflicts found");
    condition(
        conditions, "Established", "InitialNamesAccepted", "the initial names have been accepted");
    accept(object);
  }

  @Override
  public void prepareUpdate(ObjectNode live, ObjectNode next) {
    complete(next);
    accept(next);
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    return DefinitionValidation.check(next, live);
  }

  private static void complete(ObjectNode definition) {
    ObjectNode spec = Json.child(definition, "spec");
    ObjectNode names = Json.child(spec, "names");
    String kind = Json.textAt(names, "kind");
    if (Json.textAt(names, "singular").isEmpty()) {
      names.put("singular", kind.toLowerCase(Locale.ROOT));
    }
    if (Json.textAt(names, "listKind").isEmpty() && !kind.isEmpty()) {
      names.put("listKind", kind + "List");
    }
    if (Json.textAt(spec, "conversion", "strategy").isEmpty()) {
      Json.child(spec, "conversion").put("strategy", "None");
    }
  }

  private static void accept(ObjectNode definition) {
    ObjectNode status = Json.child(definition, "status");
    status.set("acceptedNames", Json.at(definition, "spec", "names").deepCopy());
    ArrayNode stored =
        status.get("storedVersions") instanceof ArrayNode present
            ? present
            : status.putArray("storedVersions");
    for (JsonNode version : Json.at(definition, "spec", "versions")) {
      if (version.path("storage").asBoolean(false)) {
        String name = Json.textAt(version, "name");
        boolean known = false;
        for (JsonNode each : stored) {
          known |= each.asText().equals(name);
        }
        if (!known) {
          stored.add(name);
        }
      }
    }
  }

  private void condition(ArrayNode conditions, String type, String reason, String message) {
    conditions
        .addObject()
        .put("lastTransitionTime", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString())
        .put("message", message)
        .put("reason", reason)
        .put("status", "True")
        .put("type", type);
  }
}
