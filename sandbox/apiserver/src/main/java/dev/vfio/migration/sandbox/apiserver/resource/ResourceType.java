package dev.vfio.migration.sandbox.apiserver.resource;

import dev.vfio.migration.sandbox.apiserver.schema.ObjectValidator;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.table.Column;
import java.util.List;
import java.util.Set;

/**
 * One kind as it is served in one version. Immutable.
 *
 * @param group API group, empty for the core group
 * @param version for example {@code v1}
 * @param names what the kind is called
 * @param namespaced false for cluster-wide kinds
 * @param storage name of the collection that holds the objects; versions of a kind, and the two
 *     event groups, share one
 * @param storageVersion the apiVersion in which objects are stored
 * @param subresources for example {@code status}
 * @param verbs what can be done with it
 * @param schema what is known of the fields; for built-in kinds only what merging needs
 * @param validator checks objects against the schema
 * @param columns columns of its tables
 * @param custom whether a CustomResourceDefinition declares it
 */
public record ResourceType(
    String group,
    String version,
    Names names,
    boolean namespaced,
    String storage,
    String storageVersion,
    Set<String> subresources,
    List<String> verbs,
    Schema schema,
    ObjectValidator validator,
    List<Column> columns,
    boolean custom) {

  /** The verbs of an ordinary stored kind. */
  public static final List<String> ALL_VERBS =
      List.of("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch");

  /**
   * What a kind is called.
   *
   * @param plural as in paths
   * @param singular as kubectl accepts it
   * @param kind as in objects
   * @param listKind kind of lists
   * @param shortNames as kubectl accepts them
   * @param categories groups such as {@code all}
   */
  public record Names(
      String plural,
      String singular,
      String kind,
      String listKind,
      List<String> shortNames,
      List<String> categories) {}

  /** As in objects: {@code v1} or {@code group/version}. */
  public String apiVersion() {
    return group.isEmpty() ? version : group + "/" + version;
  }

  /** The plural name, as in paths. */
  public String plural() {
    return names.plural();
  }

  /** The kind, as in objects. */
  public String kind() {
    return names.kind();
  }

  /** Whether status is written apart from the rest. */
  public boolean hasStatus() {
    return subresources.contains("status");
  }

  /** Whether objects of this kind are kept (a review is answered, not stored). */
  public boolean stored() {
    return verbs.contains("get");
  }
}
