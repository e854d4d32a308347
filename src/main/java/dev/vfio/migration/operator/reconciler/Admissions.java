package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.AdminNamespaces;
import dev.vfio.migration.operator.decision.DeviceQueue;
import dev.vfio.migration.operator.decision.Predecessor;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Lets migrations in, one per device. Remembers what the caches may not show yet: whom it has let
 * in and who has ended. Losing it is harmless, agents refuse a device that is claimed. Thread-safe:
 * two migrations that ask at the same time get answers one after the other.
 */
final class Admissions {
  private final AdminNamespaces adminNamespaces;
  private final Set<String> admitted = new HashSet<>();
  private final Set<String> ended = new HashSet<>();

  Admissions(AdminNamespaces adminNamespaces) {
    this.adminNamespaces = adminNamespaces;
  }

  /** Whom {@code candidate} waits for; when it is nobody, it is let in. */
  synchronized Optional<Predecessor> ask(
      DeviceMigration candidate, Collection<DeviceMigration> all) {
    Set<String> known =
        all.stream().map(other -> other.getMetadata().getUid()).collect(Collectors.toSet());
    admitted.retainAll(known);
    ended.retainAll(known);
    List<DeviceMigration> present =
        all.stream()
            .filter(other -> !ended.contains(other.getMetadata().getUid()))
            // Nobody waits for one that is to be refused.
            .filter(adminNamespaces::mayUseDevices)
            .toList();
    Optional<Predecessor> predecessor = DeviceQueue.predecessor(candidate, present, admitted);
    if (predecessor.isEmpty()) {
      admitted.add(candidate.getMetadata().getUid());
    }
    return predecessor;
  }

  /** The migration has let go of its devices. True the first time it is said. */
  synchronized boolean leave(String uid) {
    admitted.remove(uid);
    return ended.add(uid);
  }
}
