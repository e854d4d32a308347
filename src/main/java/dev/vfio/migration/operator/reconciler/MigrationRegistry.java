package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.record.StatusRecord;
import jakarta.inject.Singleton;

/**
 * Begins and ends what this process remembers of a migration, in every class that remembers
 * something. All of it can be lost: after a restart the object and the agents are enough to go on.
 */
@Singleton
final class MigrationRegistry {
  private final AdminNamespaces adminNamespaces;
  private final Admissions admissions;
  private final AgentEvents agentEvents;
  private final Observer observer;
  private final StatusRecord record;
  private final Commander commander;
  private final ReconcileHealth health;

  MigrationRegistry(
      AdminNamespaces adminNamespaces,
      Admissions admissions,
      AgentEvents agentEvents,
      Observer observer,
      StatusRecord record,
      Commander commander,
      ReconcileHealth health) {
    this.adminNamespaces = adminNamespaces;
    this.admissions = admissions;
    this.agentEvents = agentEvents;
    this.observer = observer;
    this.record = record;
    this.commander = commander;
    this.health = health;
  }

  /** The migration is reconciled, from now on also when one of its agents reports something. */
  void follow(DeviceMigration migration) {
    // A migration that is refused for its namespace has nothing to learn from agents, however many
    // such migrations there are.
    if (adminNamespaces.mayUseDevices(migration)) {
      agentEvents.follow(migration);
    }
  }

  /** The migration has ended and uses its devices no more. */
  void ended(DeviceMigration migration) {
    String uid = migration.getMetadata().getUid();
    observer.forget(uid);
    commander.forget(uid);
    record.forget(uid);
    if (admissions.leave(uid) && adminNamespaces.mayUseDevices(migration)) {
      agentEvents.devicesReleased();
    }
  }

  /** The API server has no such object any more. */
  void removed(String uid) {
    observer.removed(uid);
    record.removed(uid);
  }

  /** This replica does not lead, and has no more to do for the migration. */
  void standsStillNoMore(String uid) {
    observer.removed(uid);
    commander.forget(uid);
    record.forget(uid);
  }

  /** The object is about to be removed: this was its last reconciliation. */
  void forget(DeviceMigration migration) {
    ended(migration);
    removed(migration.getMetadata().getUid());
    agentEvents.forget(migration.getMetadata().getUid());
    health.forget(migration.qualifiedName());
  }
}
