package dev.vfio.migration.operator.admission;

import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * One migration per device at a time.
 *
 * <p>A migration waits for one that holds one of its devices and, while none does, for one that
 * wants one of them and was created earlier (then: comes first by namespace, name and uid). The
 * order is total, so the first of all waits only for migrations that hold devices, and those end:
 * no deadlock, also for two migrations that exchange their devices.
 */
public final class DeviceQueue {
  private static final Comparator<DeviceMigration> ORDER =
      Comparator.<DeviceMigration, String>comparing(
              migration -> text(migration.getMetadata().getCreationTimestamp()))
          .thenComparing(migration -> text(migration.getMetadata().getNamespace()))
          .thenComparing(migration -> text(migration.getMetadata().getName()))
          .thenComparing(migration -> text(migration.getMetadata().getUid()));

  private DeviceQueue() {}

  /**
   * The migration that {@code candidate} waits for.
   *
   * @param others all migrations that are known; the candidate itself may be among them
   * @param admitted uids of migrations that were admitted but whose record may not show it yet
   */
  public static Optional<Predecessor> predecessor(
      DeviceMigration candidate, Collection<DeviceMigration> others, Set<String> admitted) {
    if (holds(candidate, admitted)) {
      return Optional.empty();
    }
    return others.stream()
        .filter(other -> !other.getMetadata().getUid().equals(candidate.getMetadata().getUid()))
        .filter(other -> !released(other))
        .filter(other -> holds(other, admitted) || ORDER.compare(other, candidate) < 0)
        .sorted(
            Comparator.<DeviceMigration, Boolean>comparing(other -> !holds(other, admitted))
                .thenComparing(ORDER))
        .flatMap(
            other ->
                shared(candidate, other)
                    .map(device -> new Predecessor(other.qualifiedName(), device)))
        .findFirst();
  }

  /** True when the migration uses its devices or may do so. */
  public static boolean holds(DeviceMigration migration, Set<String> admitted) {
    return !released(migration)
        && (admitted.contains(migration.getMetadata().getUid())
            || (migration.getStatus() != null
                && migration.getStatus().phaseOrPending() != Phase.PENDING));
  }

  /** True when the migration has released both devices. */
  public static boolean released(DeviceMigration migration) {
    DeviceMigrationStatus status = migration.getStatus();
    if (status == null || !status.phaseOrPending().terminal()) {
      return false;
    }
    return status.phase() != Phase.SUCCEEDED
        || status.conditions().stream()
            .noneMatch(
                condition ->
                    condition.type().equals(ConditionType.SUCCEEDED.text())
                        && condition.reason().equals(ConditionReason.CLEANING_UP.text()));
  }

  private static Stream<DeviceLocation> shared(DeviceMigration one, DeviceMigration other) {
    return devices(one).filter(device -> devices(other).anyMatch(device::equals));
  }

  private static Stream<DeviceLocation> devices(DeviceMigration migration) {
    return migration.getSpec() == null
        ? Stream.empty()
        : Stream.of(migration.getSpec().source(), migration.getSpec().destination())
            .filter(java.util.Objects::nonNull);
  }

  private static String text(String value) {
    return value == null ? "" : value;
  }
}
