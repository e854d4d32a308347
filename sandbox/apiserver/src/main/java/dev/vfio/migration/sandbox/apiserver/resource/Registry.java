package dev.vfio.migration.sandbox.apiserver.resource;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The kinds that are served at the moment: the built-in ones and those of
 * CustomResourceDefinitions. Safe for any thread.
 */
public final class Registry {
  private record Path(String group, String version, String plural) {}

  private final Map<Path, ResourceType> builtIn = new LinkedHashMap<>();
  private final Map<String, List<ResourceType>> customByDefinition = new LinkedHashMap<>();
  private volatile Map<Path, ResourceType> all;

  /** With these built-in kinds, in the order in which discovery names them. */
  public Registry(Collection<ResourceType> builtInTypes) {
    for (ResourceType type : builtInTypes) {
      builtIn.put(path(type), type);
    }
    all = Map.copyOf(builtIn);
  }

  /** Serves the versions of a CustomResourceDefinition, in place of what it declared before. */
  public synchronized void define(String definition, List<ResourceType> versions) {
    customByDefinition.put(definition, List.copyOf(versions));
    rebuild();
  }

  /** Stops serving the kind of a CustomResourceDefinition. */
  public synchronized void undefine(String definition) {
    customByDefinition.remove(definition);
    rebuild();
  }

  /** The kind at a path. */
  public Optional<ResourceType> find(String group, String version, String plural) {
    return Optional.ofNullable(all.get(new Path(group, version, plural)));
  }

  /** The kind of an object. */
  public Optional<ResourceType> findKind(String apiVersion, String kind) {
    return all.values().stream()
        .filter(
            type ->
                type.stored() && type.apiVersion().equals(apiVersion) && type.kind().equals(kind))
        .findFirst();
  }

  /** The first served version of a collection of objects. */
  public synchronized Optional<ResourceType> findStorage(String storage) {
    return types().stream()
        .filter(type -> type.stored() && type.storage().equals(storage))
        .findFirst();
  }

  /** Every served kind, built-in ones first. */
  public synchronized List<ResourceType> types() {
    List<ResourceType> types = new ArrayList<>(builtIn.values());
    customByDefinition.values().forEach(types::addAll);
    return types;
  }

  /**
   * The groups with their versions, the core group (empty name) first; the first version is the
   * preferred one.
   */
  public Map<String, Set<String>> groups() {
    Map<String, Set<String>> groups = new LinkedHashMap<>();
    for (ResourceType type : types()) {
      groups.computeIfAbsent(type.group(), group -> new LinkedHashSet<>()).add(type.version());
    }
    return groups;
  }

  private void rebuild() {
    Map<Path, ResourceType> rebuilt = new LinkedHashMap<>(builtIn);
    for (List<ResourceType> versions : customByDefinition.values()) {
      for (ResourceType type : versions) {
        rebuilt.putIfAbsent(path(type), type);
      }
    }
    all = Map.copyOf(rebuilt);
  }

  private static Path path(ResourceType type) {
    return new Path(type.group(), type.version(), type.plural());
  }
}
