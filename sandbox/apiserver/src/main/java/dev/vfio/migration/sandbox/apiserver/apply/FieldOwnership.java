package dev.vfio.migration.sandbox.apiserver.apply;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.apply.ManagedFields.Manager;
import dev.vfio.migration.sandbox.apiserver.apply.ManagedFields.Owned;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Server-side apply, and the keeping of metadata.managedFields by every other write
 * (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
 */
public final class FieldOwnership {
  /** Fields that belong to the server and that nobody owns. */
  private static final FieldSet OF_THE_SERVER =
      FieldSet.of(
          List.of(
              List.of("f:apiVersion"),
              List.of("f:kind"),
              List.of("f:metadata"),
              List.of("f:metadata", "f:name"),
              List.of("f:metadata", "f:namespace"),
              List.of("f:metadata", "f:creationTimestamp"),
              List.of("f:metadata", "f:selfLink"),
              List.of("f:metadata", "f:uid"),
              List.of("f:metadata", "f:generation"),
              List.of("f:metadata", "f:managedFields"),
              List.of("f:metadata", "f:resourceVersion")));

  private FieldOwnership() {}

  /**
   * Who writes, and what.
   *
   * @param manager name of the field manager
   * @param apiVersion version in which the object is written
   * @param subresource empty for the object itself
   * @param ignored top-level fields that this request does not write, for example {@code status}
   * @param schema schema of the kind
   */
  public record Writer(
      String manager, String apiVersion, String subresource, List<String> ignored, Schema schema) {}

  /**
   * Records in the new object who owns which fields after a write other than an apply.
   *
   * @param live the object before; an empty one for a creation
   * @param changed the object as it will be stored; its managedFields are set
   */
  public static void recordUpdate(ObjectNode live, ObjectNode changed, Writer writer, Instant now) {
    ManagedFields before = managedFieldsToStartFrom(live, changed, writer);
    JsonNode old = withoutManagedFields(live);
    JsonNode current = withoutManagedFields(changed);
    TypedTree.Comparison differences = TypedTree.compare(old, current, writer.schema());
    FieldSet touched = writable(differences.modified().union(differences.added()), writer);
    FieldSet removed = writable(differences.removed(), writer);
    Manager self = new Manager(writer.manager(), false, writer.apiVersion(), writer.subresource());

    ManagedFields after = before;
    for (Map.Entry<Manager, Owned> entry : before.owners().entrySet()) {
      FieldSet kept = entry.getValue().fields().minus(touched).minus(removed);
      if (!kept.equals(entry.getValue().fields()) && !entry.getKey().equals(self)) {
        after = after.with(entry.getKey(), kept, entry.getValue().time());
      }
    }
    FieldSet mine = before.ownedBy(self);
    if (!touched.isEmpty()) {
      after = after.with(self, mine.minus(removed).union(touched), timestamp(now));
    } else if (!mine.minus(removed).equals(mine)) {
      after = after.with(self, mine.minus(removed), before.owners().get(self).time());
    }
    after.writeTo(changed);
  }

  /**
   * Applies a configuration: what it names is set, what it named last time and names no longer is
   * removed unless somebody else owns it.
   *
   * @param live the object before; an empty one if it is to be created
   * @param applied the configuration
   * @param force takes fields from their owners instead of failing
   * @return the new object with its managedFields
   * @throws dev.vfio.migration.sandbox.apiserver.http.ApiException 409 naming the other owners, or
   *     400/500 for a configuration that cannot be merged
   */
  public static ObjectNode apply(
      ObjectNode live, ObjectNode applied, Writer writer, boolean force, Instant now) {
    ManagedFields before = ManagedFields.of(live);
    ObjectNode old = withoutManagedFields(live);
    ObjectNode wanted = withoutManagedFields(applied);
    Schema schema = writer.schema();
    Manager self = new Manager(writer.manager(), true, writer.apiVersion(), writer.subresource());
    if (before.owners().isEmpty()
        && !old.isEmpty()
        && !live.path("metadata").path("uid").isMissingNode()) {
      // An object without managedFields: its fields belong to one unknown manager.
      Manager unknown = new Manager("before-first-apply", false, writer.apiVersion(), "");
      before =
          before.with(unknown, writable(TypedTree.fieldSet(old, schema), writer), timestamp(now));
    }
    try {
      FieldSet last = before.ownedBy(self);
      FieldSet mine = writable(TypedTree.fieldSet(wanted, schema), writer);
      JsonNode merged = TypedTree.merge(old, wanted, schema);
      ManagedFields after = before.with(self, mine, timestamp(now));
      FieldSet dropped =
          TypedTree.withNamedFields(last, schema)
              .minus(TypedTree.withNamedFields(after.ownedByAnyone(), schema));
      ObjectNode result = (ObjectNode) TypedTree.remove(merged, dropped, schema);

      TypedTree.Comparison differences = TypedTree.compare(old, result, schema);
      FieldSet touched = writable(differences.modified().union(differences.added()), writer);
      Map<Manager, FieldSet> conflicts = conflicts(before, self, touched);
      if (!conflicts.isEmpty() && !force) {
        throw ApplyConflicts.failure(conflicts, before);
      }
      for (Map.Entry<Manager, Owned> entry : before.owners().entrySet()) {
        if (!entry.getKey().equals(self)) {
          FieldSet kept = entry.getValue().fields().minus(touched).minus(differences.removed());
          after = after.with(entry.getKey(), kept, entry.getValue().time());
        }
      }
      // Who applies nothing but a name owns nothing, before as after.
      boolean sameOwnership = before.owners().containsKey(self) && after.ownedBy(self).equals(last);
      if (sameOwnership && Json.same(old, result)) {
        after = after.with(self, last, before.owners().get(self).time());
      }
      after.writeTo(result);
      return result;
    } catch (IllegalArgumentException e) {
      throw Failures.unforeseen(
          "failed to create typed patch object (%s/%s; %s, Kind=%s): %s"
              .formatted(
                  Json.textAt(applied, "metadata", "namespace"),
                  Json.textAt(applied, "metadata", "name"),
                  Json.textAt(applied, "apiVersion"),
                  Json.textAt(applied, "kind"),
                  e.getMessage()));
    }
  }

  private static Map<Manager, FieldSet> conflicts(
      ManagedFields before, Manager self, FieldSet touched) {
    Map<Manager, FieldSet> conflicts = new TreeMap<>(ApplyConflicts.ORDER);
    before
        .owners()
        .forEach(
            (manager, owned) -> {
              FieldSet both = owned.fields().intersection(touched);
              if (!manager.equals(self) && !both.isEmpty()) {
                conflicts.put(manager, both);
              }
            });
    return conflicts;
  }

  /**
   * The client may write managedFields itself: no entry keeps them, one empty entry resets them.
   */
  private static ManagedFields managedFieldsToStartFrom(
      ObjectNode live, ObjectNode changed, Writer writer) {
    JsonNode sent = Json.at(changed, "metadata", "managedFields");
    if (writer.subresource().isEmpty() && sent.isArray() && !sent.isEmpty()) {
      if (sent.size() == 1 && sent.get(0).isEmpty()) {
        return ManagedFields.NONE;
      }
      ManagedFields fromClient = ManagedFields.of(changed);
      if (!fromClient.owners().isEmpty()) {
        return fromClient;
      }
    }
    return ManagedFields.of(live);
  }

  private static FieldSet writable(FieldSet set, Writer writer) {
    List<List<String>> ignored = new ArrayList<>();
    writer.ignored().forEach(field -> ignored.add(List.of(PathElement.field(field))));
    return set.minus(OF_THE_SERVER).minusSubtrees(FieldSet.of(ignored));
  }

  private static ObjectNode withoutManagedFields(ObjectNode object) {
    ObjectNode copy = object.deepCopy();
    if (copy.get("metadata") instanceof ObjectNode metadata) {
      metadata.remove("managedFields");
    }
    return copy;
  }

  private static String timestamp(Instant now) {
    return now.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
