package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.admission.DeviceQueue;
import dev.vfio.migration.operator.admission.Predecessor;
import dev.vfio.migration.operator.api.DeviceMigration;
import jakarta.inject.Singleton;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Admits migrations, one per device. Remembers what the caches may not show yet: which migrations
 * it has admitted and which have ended. Losing that is harmless, agents refuse a device that is
 * claimed. Thread-safe: two migrations that ask at the same time get answers one after the other.
 */
@Singleton
final class Admissions {
  private final AdminNamespaces adminNamespaces;
  private final Set<String> admitted = new HashSet<>();
  private final Set<String> ended = new HashSet<>();

  Admissions(AdminNamespaces adminNamespaces) {
    this.adminNamespaces = adminNamespaces;
  }

  /** The migration that {@code candidate} waits for; where there is none, it is admitted. */
  synchronized Optional<Predecessor> ask(
      DeviceMigration candidate, Collection<DeviceMigration> all) {
    Set<String> known =
        all.stream().map(other -> other.getMetadata().getUid()).collect(Collectors.toSet());
    admitted.retainAll(known);
    ended.retainAll(known);
    List<DeviceMigration> present =
        all.stream()
            .filter(other -> !ended.contains(other.getMetadata().getUid()))
            // No migration waits for one that is to be refused.
            .filter(adminNamespaces::mayUseDevices)
            .toList();
    Optional<Predecessor> predecessor = DeviceQueue.predecessor(candidate, present, admitted);
    if (predecessor.isEmpty()) {
      admitted.add(candidate.getMetadata().getUid());
    }
    return predecessor;
  }

  /** The migration has released its devices. True the first time this is called for it. */
  synchronized boolean leave(String uid) {
    admitted.remove(uid);
    return ended.add(uid);
  }
}
