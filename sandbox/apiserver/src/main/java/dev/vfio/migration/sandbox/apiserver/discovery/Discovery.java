package dev.vfio.migration.sandbox.apiserver.discovery;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Tells clients which groups, versions and kinds there are, one by one and all at once. Safe for
 * any thread.
 */
public final class Discovery {
  /** The Kubernetes version whose API this server follows. */
  public static final String GIT_VERSION = "v1.32.0+sandbox";

  private static final String AGGREGATED = "apidiscovery.k8s.io";

  private final Registry registry;

  /** Of the kinds in this registry. */
  public Discovery(Registry registry) {
    this.registry = registry;
  }

  /** {@code /version}. */
  public Reply version() {
    ObjectNode version = Json.object();
    version.put("major", "1").put("minor", "32").put("gitVersion", GIT_VERSION);
    version.put("gitCommit", "").put("gitTreeState", "").put("buildDate", "1970-01-01T00:00:00Z");
    version.put("goVersion", "none").put("compiler", "javac");
    String platform = System.getProperty("os.name") + "/" + System.getProperty("os.arch");
    return Reply.json(200, version.put("platform", platform.toLowerCase(Locale.ROOT)));
  }

  /** {@code /}. */
  public Reply paths() {
    ObjectNode paths = Json.object();
    ArrayNode list = paths.putArray("paths").add("/api").add("/api/v1").add("/apis");
    registry
        .groups()
        .forEach(
            (group, versions) -> {
              if (!group.isEmpty()) {
                list.add("/apis/" + group);
                versions.forEach(version -> list.add("/apis/" + group + "/" + version));
              }
            });
    list.add("/healthz")
        .add("/livez")
        .add("/openapi/v2")
        .add("/openapi/v3")
        .add("/readyz")
        .add("/version");
    return Reply.json(200, paths);
  }

  /** {@code /api}. */
  public Reply coreVersions(ApiRequest request) {
    String aggregatedVersion = aggregatedVersion(request);
    if (!aggregatedVersion.isEmpty()) {
      return aggregated(aggregatedVersion, true);
    }
    ObjectNode versions = Json.object().put("kind", "APIVersions");
    versions.putArray("versions").add("v1");
    ObjectNode address = versions.putArray("serverAddressByClientCIDRs").addObject();
    address.put("clientCIDR", "0.0.0.0/0").put("serverAddress", request.header("Host"));
    return Reply.json(200, versions);
  }

  /** {@code /apis}. */
  public Reply groups(ApiRequest request) {
    String aggregatedVersion = aggregatedVersion(request);
    if (!aggregatedVersion.isEmpty()) {
      return aggregated(aggregatedVersion, false);
    }
    ObjectNode list = Json.object().put("kind", "APIGroupList").put("apiVersion", "v1");
    ArrayNode groups = list.putArray("groups");
    registry
        .groups()
        .forEach(
            (group, versions) -> {
              if (!group.isEmpty()) {
                groups.add(group(group, versions));
              }
            });
    return Reply.json(200, list);
  }

  /** {@code /apis/GROUP}. */
  public Reply group(String group) {
    Set<String> versions = registry.groups().get(group);
    if (versions == null || group.isEmpty()) {
      throw Failures.noSuchPath();
    }
    return Reply.json(200, group(group, versions).put("kind", "APIGroup").put("apiVersion", "v1"));
  }

  /** {@code /api/v1} and {@code /apis/GROUP/VERSION}. */
  public Reply resources(String group, String version) {
    List<ResourceType> types = types(group, version);
    if (types.isEmpty()) {
      throw Failures.noSuchPath();
    }
    ObjectNode list = Json.object().put("kind", "APIResourceList").put("apiVersion", "v1");
    list.put("groupVersion", group.isEmpty() ? version : group + "/" + version);
    ArrayNode resources = list.putArray("resources");
    for (ResourceType type : types) {
      ObjectNode resource = resources.addObject();
      resource.put("name", type.plural()).put("singularName", type.names().singular());
      resource.put("namespaced", type.namespaced()).put("kind", type.kind());
      resource.set("verbs", Json.strings(type.verbs()));
      if (!type.names().shortNames().isEmpty()) {
        resource.set("shortNames", Json.strings(type.names().shortNames()));
      }
      if (!type.names().categories().isEmpty()) {
        resource.set("categories", Json.strings(type.names().categories()));
      }
      for (String subresource : type.subresources()) {
        ObjectNode part = resources.addObject();
        part.put("name", type.plural() + "/" + subresource).put("singularName", "");
        part.put("namespaced", type.namespaced()).put("kind", type.kind());
        part.set("verbs", Json.strings(List.of("get", "patch", "update")));
      }
    }
    return Reply.json(200, list);
  }

  private List<ResourceType> types(String group, String version) {
    return registry.types().stream()
        .filter(type -> type.group().equals(group) && type.version().equals(version))
        .toList();
  }

  private static ObjectNode group(String group, Set<String> versions) {
    ObjectNode node = Json.object().put("name", group);
    ArrayNode list = node.putArray("versions");
    versions.forEach(version -> list.add(groupVersion(group, version)));
    return node.set("preferredVersion", groupVersion(group, versions.iterator().next()));
  }

  private static ObjectNode groupVersion(String group, String version) {
    return Json.object().put("groupVersion", group + "/" + version).put("version", version);
  }

  /** The version of the all-at-once form that the client asks for; empty for the old form. */
  private static String aggregatedVersion(ApiRequest request) {
    for (String part : request.header("Accept").split(",")) {
      String compact = part.replace(" ", "");
      if (compact.contains("g=" + AGGREGATED) && compact.contains("as=APIGroupDiscoveryList")) {
        if (compact.contains("v=v2beta1")) {
          return "v2beta1";
        }
        if (compact.contains("v=v2")) {
          return "v2";
        }
      } else if (compact.startsWith("application/json") || compact.startsWith("*/*")) {
        return "";
      }
    }
    return "";
  }

  private Reply aggregated(String version, boolean core) {
    ObjectNode list = Json.object();
    list.put("kind", "APIGroupDiscoveryList").put("apiVersion", AGGREGATED + "/" + version);
    list.putObject("metadata");
    ArrayNode items = list.putArray("items");
    registry
        .groups()
        .forEach(
            (group, versions) -> {
              if (group.isEmpty() == core) {
                ObjectNode item = items.addObject();
                ObjectNode metadata = item.putObject("metadata");
                metadata.putNull("creationTimestamp");
                if (!core) {
                  metadata.put("name", group);
                }
                ArrayNode nodes = item.putArray("versions");
                versions.forEach(each -> nodes.add(aggregatedResources(group, each)));
              }
            });
    return Reply.json(200, list)
        .as("application/json;g=%s;v=%s;as=APIGroupDiscoveryList".formatted(AGGREGATED, version));
  }

  private ObjectNode aggregatedResources(String group, String version) {
    ObjectNode node = Json.object().put("version", version).put("freshness", "Current");
    ArrayNode resources = node.putArray("resources");
    for (ResourceType type : types(group, version)) {
      ObjectNode resource = resources.addObject().put("resource", type.plural());
      resource.set("responseKind", responseKind(type));
      resource.put("scope", type.namespaced() ? "Namespaced" : "Cluster");
      resource.put("singularResource", type.names().singular());
      resource.set("verbs", Json.strings(type.verbs()));
      resource.set("shortNames", Json.strings(type.names().shortNames()));
      resource.set("categories", Json.strings(type.names().categories()));
      ArrayNode parts = resource.putArray("subresources");
      for (String subresource : type.subresources()) {
        ObjectNode part = parts.addObject().put("subresource", subresource);
        part.set("responseKind", responseKind(type));
        part.set("verbs", Json.strings(List.of("get", "patch", "update")));
      }
    }
    return node;
  }

  private static ObjectNode responseKind(ResourceType type) {
    return Json.object()
        .put("group", type.group())
        .put("version", type.version())
        .put("kind", type.kind());
  }
}
