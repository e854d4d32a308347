package dev.vfio.migration.sandbox.apiserver.definition;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kinds that a CustomResourceDefinition declares. */
public final class CustomTypes {
  private static final Pattern VERSION = Pattern.compile("v(\\d+)(?:(alpha|beta)(\\d+))?");

  private CustomTypes() {}

  /** The served versions of a definition that was found valid, the most stable one first. */
  public static List<ResourceType> of(ObjectNode definition) {
    JsonNode spec = definition.path("spec");
    List<ResourceType> types = new ArrayList<>();
    String group = Json.textAt(spec, "group");
    for (JsonNode version : spec.path("versions")) {
      if (version.path("served").asBoolean(false)) {
        types.add(type(definition, spec, group, version));
      }
    }
    types.sort(Comparator.comparing(ResourceType::version, CustomTypes::moreStable));
    return types;
  }

  private static ResourceType type(
      ObjectNode definition, JsonNode spec, String group, JsonNode version) {
    JsonNode names = spec.path("names");
    Schema schema = Schema.ofObject(Json.at(version, "schema", "openAPIV3Schema"));
    return new ResourceType(
        group,
        Json.textAt(version, "name"),
        new ResourceType.Names(
            Json.textAt(names, "plural"),
            Json.textAt(names, "singular"),
            Json.textAt(names, "kind"),
            Json.textAt(names, "listKind"),
            Json.texts(names.path("shortNames")),
            Json.texts(names.path("categories"))),
        Json.textAt(spec, "scope").equals("Namespaced"),
        Json.textAt(definition, "metadata", "name"),
        group + "/" + storageVersion(spec),
        version.path("subresources").has("status") ? Set.of("status") : Set.of(),
        ResourceType.ALL_VERBS,
        schema,
        CustomValidator.of(schema),
        PrinterColumns.of(version.path("additionalPrinterColumns")),
        true);
  }

  /** Name of the version in which objects are stored. */
  private static String storageVersion(JsonNode spec) {
    for (JsonNode version : spec.path("versions")) {
      if (version.path("storage").asBoolean(false)) {
        return Json.textAt(version, "name");
      }
    }
    return "";
  }

  /** v2 before v1 before v1beta2 before v1beta1 before v1alpha1 before anything else. */
  private static int moreStable(String left, String right) {
    return Long.compare(rank(right), rank(left));
  }

  private static long rank(String version) {
    Matcher matcher = VERSION.matcher(version);
    if (!matcher.matches()) {
      return -1;
    }
    long stability = matcher.group(2) == null ? 2 : matcher.group(2).equals("beta") ? 1 : 0;
    long minor = matcher.group(3) == null ? 0 : Long.parseLong(matcher.group(3));
    return (stability * 10_000 + Long.parseLong(matcher.group(1))) * 10_000 + minor;
  }
}
