package dev.vfio.migration.sandbox.apiserver.apply;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.ListType;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The operations of server-side apply on trees whose schema says what merges and what is replaced
 * whole (sigs.k8s.io/structured-merge-diff: ToFieldSet, Compare, Merge, RemoveItems). Trees given
 * in are not changed.
 */
final class TypedTree {
  private TypedTree() {}

  /**
   * What differs between two trees.
   *
   * @param added paths in the new tree only
   * @param modified paths of leaves in both with different values
   * @param removed paths in the old tree only
   */
  record Comparison(FieldSet added, FieldSet modified, FieldSet removed) {}

  /** Every leaf of a tree, and every map entry and list item. */
  static FieldSet fieldSet(JsonNode value, Schema schema) {
    FieldSet.Builder set = new FieldSet.Builder();
    collect(value, schema, set);
    return set.build();
  }

  private static void collect(JsonNode value, Schema schema, FieldSet.Builder set) {
    if (isGranularMap(value, schema)) {
      for (Map.Entry<String, JsonNode> entry : value.properties()) {
        String element = PathElement.field(entry.getKey());
        Schema below = schema.field(entry.getKey());
        JsonNode child = entry.getValue();
        boolean named = schema.properties().containsKey(entry.getKey());
        if (isLeaf(child, below)
            || !named
            || child.isNull()
            || (child.isObject() && child.isEmpty())) {
          set.member(element);
        }
        if (!isLeaf(child, below)) {
          collect(child, below, set.below(element));
        }
      }
    } else if (isGranularList(value, schema)) {
      for (JsonNode item : value) {
        String element = PathElement.item(schema, item);
        set.member(element);
        if (!isLeaf(item, schema.item())) {
          collect(item, schema.item(), set.below(element));
        }
      }
    }
  }

  static Comparison compare(JsonNode before, JsonNode after, Schema schema) {
    FieldSet.Builder added = new FieldSet.Builder();
    FieldSet.Builder modified = new FieldSet.Builder();
    FieldSet.Builder removed = new FieldSet.Builder();
    compareChildren(before, after, schema, added, modified, removed);
    return new Comparison(added.build(), modified.build(), removed.build());
  }

  private static void compareChildren(
      JsonNode before,
      JsonNode after,
      Schema schema,
      FieldSet.Builder added,
      FieldSet.Builder modified,
      FieldSet.Builder removed) {
    Map<String, JsonNode> old = children(before, schema);
    Map<String, JsonNode> now = children(after, schema);
    SortedSet<String> elements = new TreeSet<>(old.keySet());
    elements.addAll(now.keySet());
    for (String element : elements) {
      JsonNode left = old.get(element);
      JsonNode right = now.get(element);
      Schema below = childSchema(schema, element);
      if (left == null) {
        added.member(element);
      } else if (right == null) {
        removed.member(element);
      }
      boolean leaf =
          (left == null || isLeaf(left, below) || left.isEmpty())
              && (right == null || isLeaf(right, below) || right.isEmpty());
      if (leaf) {
        if (left != null && right != null && !Json.same(left, right)) {
          modified.member(element);
        }
      } else if (left != null && right != null && (isLeaf(left, below) || isLeaf(right, below))) {
        // A map became a scalar or the other way round: one value in place of another.
        modified.member(element);
      } else {
        compareChildren(
            left,
            right,
            below,
            added.below(element),
            modified.below(element),
            removed.below(element));
      }
    }
  }

  /** The live tree with the applied one laid over it. */
  static JsonNode merge(JsonNode live, JsonNode applied, Schema schema) {
    if (applied == null) {
      return live.deepCopy();
    }
    if (live == null || isLeaf(applied, schema) || isLeaf(live, schema)) {
      return applied.deepCopy();
    }
    if (live.isObject() && applied.isObject()) {
      ObjectNode merged = Json.object();
      live.properties()
          .forEach(
              entry ->
                  merged.set(
                      entry.getKey(),
                      merge(
                          entry.getValue(),
                          applied.get(entry.getKey()),
                          schema.field(entry.getKey()))));
      applied
          .properties()
          .forEach(
              entry -> {
                if (!merged.has(entry.getKey())) {
                  merged.set(entry.getKey(), entry.getValue().deepCopy());
                }
              });
      return merged;
    }
    if (live.isArray() && applied.isArray()) {
      return mergeLists(live, applied, schema);
    }
    return applied.deepCopy();
  }

  /**
   * The applied items in their order; items that only the live list has stay in front of the next
   * item that both have.
   */
  private static ArrayNode mergeLists(JsonNode live, JsonNode applied, Schema schema) {
    Map<String, JsonNode> old = children(live, schema);
    Map<String, JsonNode> now = children(applied, schema);
    Deque<String> oldLeft = new ArrayDeque<>(old.keySet());
    Deque<String> nowLeft = new ArrayDeque<>(now.keySet());
    ArrayNode merged = Json.array();
    while (!oldLeft.isEmpty() || !nowLeft.isEmpty()) {
      String next = oldLeft.peek();
      if (next != null && !now.containsKey(next)) {
        merged.add(old.get(oldLeft.remove()).deepCopy());
      } else if (next != null && !next.equals(firstOfBoth(nowLeft, old))) {
        // Both have it, but elsewhere: it comes when the applied list's turn is at it.
        oldLeft.remove();
      } else {
        String element = nowLeft.remove();
        merged.add(merge(old.get(element), now.get(element), schema.item()));
        if (element.equals(next)) {
          oldLeft.remove();
        }
      }
    }
    return merged;
  }

  private static String firstOfBoth(Deque<String> nowLeft, Map<String, JsonNode> old) {
    return nowLeft.stream().filter(old::containsKey).findFirst().orElse("");
  }

  /** The tree without these paths. */
  static JsonNode remove(JsonNode value, FieldSet paths, Schema schema) {
    if (isGranularMap(value, schema)) {
      ObjectNode rest = Json.object();
      for (Map.Entry<String, JsonNode> entry : value.properties()) {
        String element = PathElement.field(entry.getKey());
        if (!paths.hasMember(element)) {
          FieldSet below = paths.below(element);
          rest.set(
              entry.getKey(),
              below.isEmpty()
                  ? entry.getValue().deepCopy()
                  : remove(entry.getValue(), below, schema.field(entry.getKey())));
        }
      }
      return rest;
    }
    if (isGranularList(value, schema)) {
      ArrayNode rest = Json.array();
      for (JsonNode item : value) {
        String element = PathElement.item(schema, item);
        if (!paths.hasMember(element)) {
          FieldSet below = paths.below(element);
          rest.add(below.isEmpty() ? item.deepCopy() : remove(item, below, schema.item()));
        }
      }
      return rest;
    }
    return value.deepCopy();
  }

  /**
   * The set with every declared field in it below which there is a path: nobody owns a structure
   * itself, only what is in it.
   */
  static FieldSet withNamedFields(FieldSet set, Schema schema) {
    SortedSet<String> members = new TreeSet<>(set.members());
    SortedMap<String, FieldSet> children = new TreeMap<>();
    for (String element : set.parents()) {
      if (PathElement.isField(element)
          && schema.properties().containsKey(PathElement.fieldName(element))) {
        members.add(element);
      }
      children.put(element, withNamedFields(set.below(element), childSchema(schema, element)));
    }
    return new FieldSet(members, children);
  }

  private static Schema childSchema(Schema schema, String element) {
    return PathElement.isField(element)
        ? schema.field(PathElement.fieldName(element))
        : schema.item();
  }

  private static Map<String, JsonNode> children(JsonNode value, Schema schema) {
    Map<String, JsonNode> children = new LinkedHashMap<>();
    if (value != null && isGranularMap(value, schema)) {
      value
          .properties()
          .forEach(entry -> children.put(PathElement.field(entry.getKey()), entry.getValue()));
    } else if (value != null && isGranularList(value, schema)) {
      value.forEach(item -> children.put(PathElement.item(schema, item), item));
    }
    return children;
  }

  private static boolean isGranularMap(JsonNode value, Schema schema) {
    return value.isObject() && !schema.atomicMap();
  }

  private static boolean isGranularList(JsonNode value, Schema schema) {
    return value.isArray() && schema.listType() != ListType.ATOMIC;
  }

  private static boolean isLeaf(JsonNode value, Schema schema) {
    return !isGranularMap(value, schema) && !isGranularList(value, schema);
  }
}
