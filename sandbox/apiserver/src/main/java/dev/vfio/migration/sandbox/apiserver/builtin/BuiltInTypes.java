package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.SchemaValidator;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The kinds that exist without any CustomResourceDefinition, read from {@code built-in-kinds.yaml}.
 */
public final class BuiltInTypes {
  private static final String FILE = "built-in-kinds.yaml";

  private BuiltInTypes() {}

  /** All of them, in the order in which discovery lists them. */
  public static List<ResourceType> all() {
    try (InputStream file = BuiltInTypes.class.getResourceAsStream(FILE)) {
      if (file == null) {
        throw new IllegalStateException(
            FILE + " is not on the class path beside " + BuiltInTypes.class);
      }
      JsonNode declared = new YAMLMapper().readTree(file);
      BuiltInSchemas schemas = new BuiltInSchemas(declared.path("parts"));
      List<ResourceType> types = new ArrayList<>();
      declared.path("kinds").forEach(kind -> types.add(type(kind, schemas)));
      return List.copyOf(types);
    } catch (IOException e) {
      throw new UncheckedIOException(FILE + " cannot be read", e);
    }
  }

  private static ResourceType type(JsonNode declared, BuiltInSchemas schemas) {
    String kind = Json.textAt(declared, "kind");
    String group = Json.textAt(declared, "group");
    String plural = Json.textAt(declared, "plural");
    Schema schema = Schema.ofObject(schemas.of(declared.path("fields")));
    List<String> verbs = Json.texts(declared.path("verbs"));
    return new ResourceType(
        group,
        "v1",
        new ResourceType.Names(
            plural,
            kind.toLowerCase(Locale.ROOT),
            kind,
            kind + "List",
            Json.texts(declared.path("shortNames")),
            Json.texts(declared.path("categories"))),
        !Json.textAt(declared, "scope").equals("Cluster"),
        // The two event groups are two views of one collection, stored as core events.
        plural,
        plural.equals("events") || group.isEmpty() ? "v1" : group + "/v1",
        declared.path("status").asBoolean(false) ? Set.of("status") : Set.of(),
        verbs.isEmpty() ? ResourceType.ALL_VERBS : verbs,
        schema,
        new SchemaValidator(schema),
        BuiltInColumns.of(kind),
        false);
  }
}
