package dev.vfio.migration.sandbox.apiserver.request;

import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectKey;
import java.util.List;
import java.util.Optional;

/**
 * What a resource path points at.
 *
 * @param type kind in the version of the path
 * @param namespace empty for cluster-wide kinds and for lists over all namespaces
 * @param name empty for collections
 * @param subresource empty for the object itself
 */
record RequestTarget(ResourceType type, String namespace, String name, String subresource) {

  /**
   * Reads what follows {@code /api/v1} or {@code /apis/GROUP/VERSION}.
   *
   * @param rest at least one segment, none empty
   */
  static Optional<RequestTarget> of(
      Registry registry, String group, String version, List<String> rest) {
    boolean inNamespace = rest.size() >= 3 && rest.get(0).equals("namespaces");
    if (inNamespace) {
      Optional<ResourceType> type =
          registry.find(group, version, rest.get(2)).filter(ResourceType::namespaced);
      if (type.isPresent()) {
        return rest.size() > 5
            ? Optional.empty()
            : Optional.of(
                new RequestTarget(type.get(), rest.get(1), segment(rest, 3), segment(rest, 4)));
      }
    }
    if (rest.size() > 3) {
      return Optional.empty();
    }
    return registry
        .find(group, version, rest.get(0))
        .filter(type -> !type.namespaced() || rest.size() == 1)
        .map(type -> new RequestTarget(type, "", segment(rest, 1), segment(rest, 2)));
  }

  ObjectKey key() {
    return new ObjectKey(type.storage(), namespace, name);
  }

  private static String segment(List<String> segments, int index) {
    return index < segments.size() ? segments.get(index) : "";
  }
}
