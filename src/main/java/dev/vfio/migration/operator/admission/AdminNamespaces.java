package dev.vfio.migration.operator.admission;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The namespaces in which a migration may name a node and a device. Nothing ties such a migration
 * to the owner of the device: a user who may create one there may pause and move the device of any
 * workload. So only administrators may.
 */
public final class AdminNamespaces {
  /** Stands for every namespace; only where an administrator wrote it. */
  public static final String EVERY = "*";

  private static final int MAX_NAMED = 10;

  /** What the API server takes for the name of a namespace (RFC 1123). */
  private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

  private final Set<String> names;

  private AdminNamespaces(Set<String> names) {
    this.names = names;
  }

  /**
   * @param names at least one
   * @throws IllegalArgumentException for none, and for what is neither a namespace's name nor
   *     {@link #EVERY}
   */
  public static AdminNamespaces of(Collection<String> names) {
    if (names.isEmpty()) {
      throw new IllegalArgumentException("no namespace is named");
    }
    for (String name : names) {
      if (!name.equals(EVERY) && !NAME.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "'" + name + "' is neither the name of a namespace nor " + EVERY);
      }
    }
    return new AdminNamespaces(new TreeSet<>(names));
  }

  /** True when a migration in {@code namespace} may name any node and device. */
  public boolean allow(String namespace) {
    return names.contains(EVERY) || names.contains(namespace);
  }

  /**
   * True when {@code migration} may use devices: its namespace is allowed, or it was when the
   * migration was admitted and it is under way.
   */
  public boolean mayUseDevices(DeviceMigration migration) {
    DeviceMigrationStatus status = migration.getStatus();
    return allow(migration.getMetadata().getNamespace())
        || (status != null
            && !status.phaseOrPending().untouched()
            && !DeviceQueue.released(migration));
  }

  /** The names, for people; the first few of a long list. */
  @Override
  public String toString() {
    String first = names.stream().limit(MAX_NAMED).collect(Collectors.joining(", "));
    return names.size() <= MAX_NAMED
        ? first
        : first + " and " + (names.size() - MAX_NAMED) + " more";
  }
}
