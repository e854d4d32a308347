package dev.vfio.migration.sandbox.apiserver.apply;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A set of paths into an object, as metadata.managedFields holds it (format FieldsV1). A path is a
 * row of elements in their FieldsV1 text form, see {@link PathElement}. A path may be in the set
 * without those below it, and the other way round. Immutable.
 */
public final class FieldSet {
  /** The set without any path. */
  public static final FieldSet EMPTY = new FieldSet(new TreeSet<>(), new TreeMap<>());

  private final SortedSet<String> members;
  private final SortedMap<String, FieldSet> children;

  FieldSet(SortedSet<String> members, SortedMap<String, FieldSet> children) {
    this.members = Collections.unmodifiableSortedSet(members);
    this.children = Collections.unmodifiableSortedMap(children);
  }

  /** The set that holds exactly these paths. */
  public static FieldSet of(List<List<String>> paths) {
    Builder builder = new Builder();
    paths.forEach(builder::add);
    return builder.build();
  }

  /** Reads the FieldsV1 form. */
  public static FieldSet parse(JsonNode fieldsV1) {
    SortedSet<String> members = new TreeSet<>();
    SortedMap<String, FieldSet> children = new TreeMap<>();
    for (Map.Entry<String, JsonNode> entry : fieldsV1.properties()) {
      if (entry.getKey().equals(".")) {
        continue;
      }
      String element = PathElement.canonical(entry.getKey());
      JsonNode below = entry.getValue();
      if (below.isEmpty() || below.has(".")) {
        members.add(element);
      }
      FieldSet child = parse(below);
      if (!child.isEmpty()) {
        children.put(element, child);
      }
    }
    return new FieldSet(members, children);
  }

  /** The FieldsV1 form. */
  public ObjectNode toFieldsV1() {
    ObjectNode node = Json.object();
    SortedSet<String> elements = new TreeSet<>(members);
    elements.addAll(children.keySet());
    for (String element : elements) {
      FieldSet child = children.get(element);
      ObjectNode below = Json.object();
      if (child != null) {
        if (members.contains(element)) {
          below.putObject(".");
        }
        below.setAll(child.toFieldsV1());
      }
      node.set(element, below);
    }
    return node;
  }

  /** Whether no path is in it. */
  public boolean isEmpty() {
    return members.isEmpty() && children.isEmpty();
  }

  /** Whether the path of this one element is in it. */
  public boolean hasMember(String element) {
    return members.contains(element);
  }

  /** The paths below an element, without the element itself. */
  public FieldSet below(String element) {
    return children.getOrDefault(element, EMPTY);
  }

  /** The first elements of the paths that go deeper. */
  public SortedSet<String> parents() {
    return new TreeSet<>(children.keySet());
  }

  /** The paths of one element. */
  public SortedSet<String> members() {
    return members;
  }

  /** Paths in either. */
  public FieldSet union(FieldSet other) {
    SortedSet<String> allMembers = new TreeSet<>(members);
    allMembers.addAll(other.members);
    SortedMap<String, FieldSet> allChildren = new TreeMap<>(children);
    other.children.forEach((element, child) -> allChildren.merge(element, child, FieldSet::union));
    return new FieldSet(allMembers, allChildren);
  }

  /** Paths in both. */
  public FieldSet intersection(FieldSet other) {
    SortedSet<String> common = new TreeSet<>(members);
    common.retainAll(other.members);
    SortedMap<String, FieldSet> deeper = new TreeMap<>();
    children.forEach(
        (element, child) ->
            putUnlessEmpty(deeper, element, child.intersection(other.below(element))));
    return new FieldSet(common, deeper);
  }

  /** Paths in this one only. */
  public FieldSet minus(FieldSet other) {
    SortedSet<String> rest = new TreeSet<>(members);
    rest.removeAll(other.members);
    SortedMap<String, FieldSet> deeper = new TreeMap<>();
    children.forEach(
        (element, child) -> putUnlessEmpty(deeper, element, child.minus(other.below(element))));
    return new FieldSet(rest, deeper);
  }

  /** Paths that are neither in the other set nor below one of its paths. */
  public FieldSet minusSubtrees(FieldSet other) {
    SortedSet<String> rest = new TreeSet<>(members);
    rest.removeAll(other.members);
    SortedMap<String, FieldSet> deeper = new TreeMap<>();
    children.forEach(
        (element, child) -> {
          if (!other.hasMember(element)) {
            putUnlessEmpty(deeper, element, child.minusSubtrees(other.below(element)));
          }
        });
    return new FieldSet(rest, deeper);
  }

  /** Every path, sorted. */
  public List<List<String>> paths() {
    List<List<String>> paths = new ArrayList<>();
    collect(List.of(), paths);
    return paths;
  }

  private void collect(List<String> prefix, List<List<String>> into) {
    SortedSet<String> elements = new TreeSet<>(members);
    elements.addAll(children.keySet());
    for (String element : elements) {
      List<String> path = new ArrayList<>(prefix);
      path.add(element);
      if (members.contains(element)) {
        into.add(List.copyOf(path));
      }
      below(element).collect(path, into);
    }
  }

  private static void putUnlessEmpty(
      SortedMap<String, FieldSet> into, String element, FieldSet set) {
    if (!set.isEmpty()) {
      into.put(element, set);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FieldSet set
        && members.equals(set.members)
        && children.equals(set.children);
  }

  @Override
  public int hashCode() {
    return 31 * members.hashCode() + children.hashCode();
  }

  @Override
  public String toString() {
    return Json.text(toFieldsV1());
  }

  /** Collects paths; used by one thread. */
  static final class Builder {
    private final SortedSet<String> members = new TreeSet<>();
    private final SortedMap<String, Builder> children = new TreeMap<>();

    Builder add(List<String> path) {
      Builder at = this;
      for (String element : path.subList(0, path.size() - 1)) {
        at = at.below(element);
      }
      return at.member(path.get(path.size() - 1));
    }

    Builder member(String element) {
      members.add(element);
      return this;
    }

    Builder below(String element) {
      return children.computeIfAbsent(element, key -> new Builder());
    }

    FieldSet build() {
      SortedMap<String, FieldSet> built = new TreeMap<>();
      children.forEach((element, child) -> putUnlessEmpty(built, element, child.build()));
      return new FieldSet(new TreeSet<>(members), built);
    }
  }
}
