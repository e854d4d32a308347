package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.connections.log.LoggedMigration;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.reconciler.MigrationLoop.Outcome;
import dev.vfio.migration.operator.record.ApiServerStore;
import dev.vfio.migration.operator.record.StatusRecord;
import io.javaoperatorsdk.operator.api.reconciler.Cleaner;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.DeleteControl;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.retry.GradualRetry;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Observe, decide, record, act ({@link MigrationLoop}), whenever the object, its agents, or a
 * timeout call for it. Deleting a migration that runs cancels it first; one that is committed is
 * finished first; only then does the object go.
 */
@ControllerConfiguration(
    name = "devicemigration",
    finalizerName = DeviceMigration.FINALIZER,
    fieldManager = ApiServerStore.FIELD_MANAGER)
@GradualRetry(
    maxAttempts = Integer.MAX_VALUE,
    initialInterval = 200,
    intervalMultiplier = 2,
    maxInterval = 10_000)
@RegisterForReflection
public class MigrationReconciler implements Reconciler<DeviceMigration>, Cleaner<DeviceMigration> {
  private final Machinery machinery;

  public MigrationReconciler(Machinery machinery) {
    this.machinery = machinery;
  }

  @Override
  public List<EventSource<?, DeviceMigration>> prepareEventSources(
      EventSourceContext<DeviceMigration> context) {
    machinery.migrationsAre(() -> context.getPrimaryCache().list().toList());
    return List.of(machinery.agentEvents());
  }

  @Override
  public UpdateControl<DeviceMigration> reconcile(
      DeviceMigration migration, Context<DeviceMigration> context) {
    Outcome outcome = advance(migration, context);
    return outcome
        .checkAgain()
        .map(UpdateControl.<DeviceMigration>noUpdate()::rescheduleAfter)
        .orElseGet(UpdateControl::noUpdate);
  }

  @Override
  public DeleteControl cleanup(DeviceMigration migration, Context<DeviceMigration> context) {
    Outcome outcome = advance(migration, context);
    if (outcome.finished()) {
      machinery.forget(migration);
      return DeleteControl.defaultDelete();
    }
    return DeleteControl.noFinalizerRemoval()
        .rescheduleAfter(outcome.checkAgain().orElse(Duration.ofSeconds(10)));
  }

  @SuppressWarnings("try") // The log is what asks it.
  private Outcome advance(DeviceMigration migration, Context<DeviceMigration> context) {
    DeviceMigrationStatus status = StatusRecord.statusOf(migration);
    int attempt = Optional.ofNullable(status.attempt()).orElse(1);
    ReconcileHealth health = machinery.health();
    try (LoggedMigration logged = LoggedMigration.open(migration.qualifiedName(), attempt)) {
      Outcome outcome = machinery.advance(migration);
      outcome.migration().ifPresent(latest -> remember(latest, migration, context));
      health.succeeded(migration.qualifiedName());
      return outcome;
    } catch (RuntimeException failure) {
      health.failed(migration.qualifiedName(), failure);
      throw failure;
    }
  }

  /**
   * What was just written is what the next reconciliation must see, also where the watch is slower.
   */
  private static void remember(
      DeviceMigration latest, DeviceMigration seen, Context<DeviceMigration> context) {
    if (latest != seen) {
      context
          .eventSourceRetriever()
          .getControllerEventSource()
          .handleRecentResourceUpdate(ResourceID.fromResource(latest), latest, seen);
    }
  }
}
