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

/** Lists the groups, versions and kinds. Safe for any thread. */
public final class Discovery {
  /** The Kubernetes version whose API this server follows. */
  public static final String GIT_VERSION = "v1.32.0+sandbox";

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

  /** {@code /api}. */
  public Reply coreVersions(ApiRequest request) {
    ObjectNode versions = Json.object().put("kind", "APIVersions");
    versions.putArray("versions").add("v1");
    ObjectNode address = versions.putArray("serverAddressByClientCIDRs").addObject();
    address.put("clientCIDR", "0.0.0.0/0").put("serverAddress", request.header("Host"));
    return Reply.json(200, versions);
  }

  /** {@code /apis}. */
  public Reply groups() {
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
}
