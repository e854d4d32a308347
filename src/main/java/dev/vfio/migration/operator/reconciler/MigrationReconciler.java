package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.connections.log.LoggedMigration;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.decision.Decision;
import dev.vfio.migration.operator.decision.Decisions;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.record.ApiServerStore;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.operator.spec.InvalidSpecException;
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
import java.time.Clock;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Observe, decide, record, act, whenever the object, its agents, or a timeout call for it, until
 * nothing more can be done without news. One such turn is {@link #step}; reconciling and deleting
 * both take as many as can be taken now.
 *
 * <p>The record comes before the act: no command is given that the record does not account for. A
 * decision that was taken on an outdated object is dropped, and the object as it is now is obeyed.
 * Reconciliations of one migration come one after another; those of different migrations run in
 * parallel.
 *
 * <p>Deleting a migration that runs cancels it first; one that is committed is finished first; only
 * then is the object removed.
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
  /** More steps than any migration takes without news; the rest follows after a pause. */
  static final int MAX_STEPS = 24;

  static final Duration PAUSE = Duration.ofMillis(200);

  private static final Logger LOG = Logger.getLogger(MigrationReconciler.class);

  private final Observer observer;
  private final StatusRecord record;
  private final Commander commander;
  private final MigrationStore store;
  private final Clock clock;
  private final MigrationRegistry registry;
  private final AgentEvents agentEvents;
  private final ReconcileHealth health;
  private final Mandate leader;

  MigrationReconciler(
      Observer observer,
      StatusRecord record,
      Commander commander,
      MigrationStore store,
      Clock clock,
      MigrationRegistry registry,
      AgentEvents agentEvents,
      ReconcileHealth health,
      FencingNumber fencing) {
    this.observer = observer;
    this.record = record;
    this.commander = commander;
    this.store = store;
    this.clock = clock;
    this.registry = registry;
    this.agentEvents = agentEvents;
    this.health = health;
    this.leader = new Mandate.OfLeader(fencing);
  }

  @Override
  public List<EventSource<?, DeviceMigration>> prepareEventSources(
      EventSourceContext<DeviceMigration> context) {
    return List.of(agentEvents);
  }

  @Override
  public UpdateControl<DeviceMigration> reconcile(
      DeviceMigration migration, Context<DeviceMigration> context) {
    return advance(migration, context)
        .checkAgain()
        .map(UpdateControl.<DeviceMigration>noUpdate()::rescheduleAfter)
        .orElseGet(UpdateControl::noUpdate);
  }

  @Override
  public DeleteControl cleanup(DeviceMigration migration, Context<DeviceMigration> context) {
    Outcome outcome = advance(migration, context);
    if (outcome.finished()) {
      registry.forget(migration);
      return DeleteControl.defaultDelete();
    }
    return DeleteControl.noFinalizerRemoval()
        .rescheduleAfter(outcome.checkAgain().orElse(Duration.ofSeconds(10)));
  }

  /** Observes, decides, records and acts, once. */
  private Step step(
      DeviceMigration migration,
      Mandate mandate,
      Answers answers,
      Supplier<Collection<DeviceMigration>> all)
      throws InvalidSpecException, OutdatedException {
    SpecReading spec = SpecReading.of(migration);
    Observation seen = observer.observe(migration, spec.settings(), mandate, answers, all);
    Decision decision = spec.decide(seen);
    StatusRecord.Result recorded = record.write(migration, decision.status());
    if (!isSameRequest(migration, recorded.migration())) {
      return new Step(Outcome.again(recorded.migration()), Answers.none(), true);
    }
    Answers next = commander.act(recorded.migration(), seen, decision.commands());
    return new Step(
        new Outcome(
            Optional.of(recorded.migration()),
            soonest(decision.checkAgain(), recorded.dueIn()),
            decision.finished()),
        next,
        decision.checkAgain().filter(Duration::isZero).isPresent() || next.areNews());
  }

  /**
   * What one step has come to.
   *
   * @param answers to its commands
   * @param goesOn whether the next step follows at once
   */
  private record Step(Outcome outcome, Answers answers, boolean goesOn) {}

  /**
   * Where a reconciliation left off.
   *
   * @param migration the object as it is now; empty when the API server has it no more
   * @param checkAgain when to look again should no event come; empty: only on an event
   * @param finished ended, and nothing is left to be cleaned up
   */
  record Outcome(
      Optional<DeviceMigration> migration, Optional<Duration> checkAgain, boolean finished) {

    /** Nothing was done, and nothing is to be. */
    private static Outcome nothing(DeviceMigration now) {
      return new Outcome(Optional.of(now), Optional.empty(), false);
    }

    /** Nothing was done: the object is to be observed again as it is now. */
    private static Outcome again(DeviceMigration now) {
      return new Outcome(Optional.of(now), Optional.of(PAUSE), false);
    }
  }

  /** Takes all steps that can be taken now. */
  private Outcome steps(
      DeviceMigration migration, Mandate mandate, Supplier<Collection<DeviceMigration>> all) {
    DeviceMigration current = migration;
    Answers answers = Answers.none();
    for (int count = 0; count < MAX_STEPS; count++) {
      String unreadable = StatusRecord.statusOf(current).unreadable();
      if (unreadable != null) {
        if (mandate.leads()) {
          record.unreadable(current, "status: " + unreadable);
        }
        return Outcome.nothing(current);
      }
      try {
        Step step = step(current, mandate, answers, all);
        if (!step.goesOn()) {
          return step.outcome();
        }
        current = step.outcome().migration().orElseThrow();
        answers = step.answers();
      } catch (InvalidSpecException invalid) {
        return mandate.leads() ? refuse(current, invalid) : Outcome.nothing(current);
      } catch (OutdatedException outdated) {
        LOG.debugf("Deciding again: %s", outdated.getMessage());
        Optional<DeviceMigration> fresh = readAgain(current);
        if (fresh.isEmpty()) {
          return new Outcome(Optional.empty(), Optional.empty(), true);
        }
        current = fresh.get();
        answers = Answers.none();
      }
    }
    return Outcome.again(current);
  }

  private Optional<DeviceMigration> readAgain(DeviceMigration known) {
    return store
        .read(known.getMetadata().getNamespace(), known.getMetadata().getName())
        .filter(fresh -> fresh.getMetadata().getUid().equals(known.getMetadata().getUid()));
  }

  private Outcome refuse(DeviceMigration current, InvalidSpecException invalid) {
    DeviceMigrationStatus status = StatusRecord.statusOf(current);
    long generation = Optional.ofNullable(current.getMetadata().getGeneration()).orElse(0L);
    Decision decision = Decisions.invalid(clock.instant(), generation, status, invalid);
    try {
      DeviceMigration written = record.write(current, decision.status()).migration();
      return new Outcome(Optional.of(written), Optional.empty(), decision.finished());
    } catch (OutdatedException outdated) {
      // The event of that change is on the way, or the object was removed.
      return Outcome.again(current);
    }
  }

  /** False where the object was cancelled or deleted between the observation and the record. */
  private static boolean isSameRequest(DeviceMigration decided, DeviceMigration written) {
    return decided.isMarkedForDeletion() == written.isMarkedForDeletion()
        && Objects.equals(
            decided.getMetadata().getGeneration(), written.getMetadata().getGeneration());
  }

  private static Optional<Duration> soonest(Optional<Duration> one, Optional<Duration> other) {
    return one.isPresent() && other.isPresent()
        ? Optional.of(one.get().compareTo(other.get()) < 0 ? one.get() : other.get())
        : one.or(() -> other);
  }

  /**
   * Reconciles {@code migration}.
   *
   * @param all every migration that is known, for the queue of its devices
   */
  Outcome advance(DeviceMigration migration, Supplier<Collection<DeviceMigration>> all) {
    registry.follow(migration);
    Outcome outcome = steps(migration, leader, all);
    if (outcome.finished()) {
      registry.ended(migration);
    }
    if (outcome.migration().isEmpty()) {
      registry.removed(migration.getMetadata().getUid());
    }
    return outcome;
  }

  /**
   * Takes the steps for {@code migration} that a replica may take that does not lead.
   *
   * @return empty where the API server has the object no more
   */
  @SuppressWarnings("try") // Log lines carry the migration for as long as it is open.
  Optional<DeviceMigration> advanceAsStandby(DeviceMigration migration) {
    int attempt = Optional.ofNullable(StatusRecord.statusOf(migration).attempt()).orElse(1);
    try (LoggedMigration logged = LoggedMigration.open(migration.qualifiedName(), attempt)) {
      return steps(migration, new Mandate.OfStandby(), List::of).migration();
    }
  }

  @SuppressWarnings("try") // Log lines carry the migration for as long as it is open.
  private Outcome advance(DeviceMigration migration, Context<DeviceMigration> context) {
    int attempt = Optional.ofNullable(StatusRecord.statusOf(migration).attempt()).orElse(1);
    try (LoggedMigration logged = LoggedMigration.open(migration.qualifiedName(), attempt)) {
      Outcome outcome = advance(migration, () -> context.getPrimaryCache().list().toList());
      outcome.migration().ifPresent(latest -> cache(latest, migration, context));
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
  private static void cache(
      DeviceMigration latest, DeviceMigration seen, Context<DeviceMigration> context) {
    if (latest != seen) {
      context
          .eventSourceRetriever()
          .getControllerEventSource()
          .handleRecentResourceUpdate(ResourceID.fromResource(latest), latest, seen);
    }
  }
}
