package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Secret data is base64; stringData is encoded into it and not stored itself. */
final class SecretRules implements KindRules {
  @Override
  public void prepareCreate(ObjectNode object) {
    encode(object);
    if (Json.textAt(object, "type").isEmpty()) {
      object.put("type", "Opaque");
    }
  }

  @Override
  public void prepareUpdate(ObjectNode live, ObjectNode next) {
    encode(next);
    if (Json.textAt(next, "type").isEmpty()) {
      next.put("type", "Opaque");
    }
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    List<Cause> causes = new ArrayList<>();
    next.path("data")
        .properties()
        .forEach(
            entry -> {
              try {
                Base64.getDecoder().decode(entry.getValue().asText());
              } catch (IllegalArgumentException e) {
                causes.add(
                    FieldErrors.invalid(
                        "data[" + entry.getKey() + "]", "<hidden>", "illegal base64 data"));
              }
            });
    if (live != null && !Json.textAt(live, "type").equals(Json.textAt(next, "type"))) {
      causes.add(FieldErrors.invalid("type", Json.textAt(next, "type"), "field is immutable"));
    }
    return causes;
  }

  private static void encode(ObjectNode object) {
    if (object.remove("stringData") instanceof ObjectNode plain) {
      ObjectNode data = Json.child(object, "data");
      plain
          .properties()
          .forEach(
              entry ->
                  data.put(
                      entry.getKey(),
                      Base64.getEncoder()
                          .encodeToString(
                              entry.getValue().asText().getBytes(StandardCharsets.UTF_8))));
    }
  }
}
