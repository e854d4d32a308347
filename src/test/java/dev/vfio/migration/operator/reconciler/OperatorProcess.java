package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.agents.AgentAddress;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentReports;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.SettableClock;
import dev.vfio.migration.operator.health.MigrationMetrics;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.record.EventReason;
import dev.vfio.migration.operator.record.EventRecorder;
import dev.vfio.migration.operator.record.StatusRecord;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One life of the operator: the real reconciler on a fake API server, driven by events and timers
 * as the operator framework drives it, one reconciliation at a time.
 */
final class OperatorProcess implements AutoCloseable {
  /** Ends the process at this very point. */
  static final class Crash extends Error {
    private static final long serialVersionUID = 1L;
  }

  private static final CallTimeout CALL_TIMEOUT = new CallTimeout(Duration.ofSeconds(30));
  private static final AdminNamespaces ADMIN_NAMESPACES = AdminNamespaces.of(List.of("default"));

  /** The time of day, which may be set. */
  final SettableClock wall;

  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final FakeApiServer api;
  private final AgentDirectory agents;
  private final AgentEvents agentEvents;
  private final MigrationRegistry registry;
  private final WonLease lease = new WonLease();
  private final Standby standby;
  private final MigrationReconciler reconciler;
  private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor();
  private final AtomicBoolean alive = new AtomicBoolean(true);
  private final List<String> events = new CopyOnWriteArrayList<>();

  OperatorProcess(
      FakeApiServer api,
      Path certificates,
      Map<String, AgentAddress> locations,
      long fencing,
      SettableClock wall) {
    this.api = api;
    this.wall = wall;
    Clock steady = Clock.systemUTC();
    AgentReports reports = new AgentReports();
    this.agents =
        new AgentDirectory(
            new TlsFiles(certificates, Clock.systemUTC()), steady, CALL_TIMEOUT.length(), reports);
    this.agentEvents = new AgentEvents(reports, locatedByTheTest(agents));
    StatusRecord record =
        new StatusRecord(
            api, eventList(), new MigrationMetrics(meters), steady, Duration.ofMillis(100));
    Admissions admissions = new Admissions(ADMIN_NAMESPACES);
    Observer observer = new Observer(agents, ADMIN_NAMESPACES, admissions, wall, steady);
    Commander commander =
        new Commander(new AgentCalls(agents, CALL_TIMEOUT), api, steady, CALL_TIMEOUT, agentEvents);
    ReconcileHealth health = new ReconcileHealth();
    this.registry =
        new MigrationRegistry(
            ADMIN_NAMESPACES, admissions, agentEvents, observer, record, commander, health);
    this.reconciler =
        new MigrationReconciler(
            observer, record, commander, api, wall, registry, agentEvents, health, () -> fencing);
    this.standby = new Standby(reconciler, registry, lease, reports, feed(), steady);
    locations.forEach((node, address) -> agents.locate(node, Optional.of(address)));
  }

  /** It has the lease. */
  OperatorProcess lead() {
    lease.won();
    agentEvents.setEventHandler(
        event -> wake(event.getRelatedCustomResourceID().getName(), Duration.ZERO));
    agentEvents.start();
    api.watch(migration -> wake(migration.getMetadata().getName(), Duration.ZERO));
    api.all().forEach(migration -> wake(migration.getMetadata().getName(), Duration.ZERO));
    return this;
  }

  /** Another replica has the lease, or had it. */
  OperatorProcess standBy() {
    // Event sources run in every replica; what they tell waits for the lease.
    agentEvents.setEventHandler(event -> {});
    agentEvents.start();
    standby.begin();
    return this;
  }

  private MigrationFeed feed() {
    return new MigrationFeed() {
      @Override
      public void start(Watcher watcher) {
        api.watchAll(watcher::changed);
      }

      @Override
      public void stop() {
        // The process that it tells is no more.
      }
    };
  }

  private static AgentSearch locatedByTheTest(AgentDirectory agents) {
    return new AgentSearch() {
      @Override
      public void start() {
        // The test says where the agents are.
      }

      @Override
      public void stop() {
        agents.close();
      }
    };
  }

  private EventRecorder eventList() {
    return new EventRecorder() {
      @Override
      public void record(DeviceMigration about, EventReason reason, String note) {
        events.add(reason.text());
      }

      @Override
      public void close() {
        // Holds nothing.
      }
    };
  }

  AgentDirectory agents() {
    return agents;
  }

  MigrationReconciler.Outcome advance(DeviceMigration migration) {
    return reconciler.advance(migration, api::all);
  }

  List<String> events() {
    return events;
  }

  /** An event is recorded after the status was written, so it may appear a little later. */
  void awaitEvents(String... reasons) {
    await()
        .atMost(Sandbox.TIMEOUT)
        .untilAsserted(() -> assertThat(events).containsExactly(reasons));
  }

  /** How many migrations the metric counts, in whatever phase. */
  double counted() {
    return meters.find("vfio.migrations").gauges().stream().mapToDouble(Gauge::value).sum();
  }

  boolean alive() {
    return alive.get();
  }

  private void wake(String name, Duration delay) {
    if (alive.get()) {
      try {
        worker.schedule(() -> reconcile(name), delay.toMillis(), TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException ended) {
        // Events of a process that has ended are nobody's.
      }
    }
  }

  private void reconcile(String name) {
    if (!alive.get()) {
      return;
    }
    Optional<DeviceMigration> migration = api.read("default", name);
    if (migration.isEmpty()) {
      return;
    }
    try {
      MigrationReconciler.Outcome outcome = advance(migration.get());
      if (outcome.finished() && migration.get().isMarkedForDeletion()) {
        registry.forget(migration.get());
        api.removeFinalizer(name);
        return;
      }
      outcome.checkAgain().ifPresent(delay -> wake(name, delay));
    } catch (Crash crash) {
      alive.set(false);
      worker.shutdownNow();
    } catch (RuntimeException failure) {
      wake(name, Duration.ofMillis(50));
    }
  }

  /** As kill -9. */
  @Override
  public void close() {
    alive.set(false);
    worker.shutdownNow();
    standby.end();
    agentEvents.stop();
    agents.close();
  }
}
