package dev.vfio.migration.sandbox.apiserver.store;

import java.util.Comparator;

/**
 * Where an object is.
 *
 * @param storage name of the collection
 * @param namespace empty for cluster-wide objects
 * @param name name of the object
 */
public record ObjectKey(String storage, String namespace, String name)
    implements Comparable<ObjectKey> {
  private static final Comparator<ObjectKey> ORDER =
      Comparator.comparing(ObjectKey::storage)
          .thenComparing(ObjectKey::namespace)
          .thenComparing(ObjectKey::name);

  @Override
  public int compareTo(ObjectKey other) {
    return ORDER.compare(this, other);
  }
}
