package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.operator.agents.AgentAddress;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.AdminNamespaces;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.SettableClock;
import dev.vfio.migration.operator.health.MigrationMetrics;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.record.EventReason;
import dev.vfio.migration.operator.record.EventRecorder;
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
 * One life of the operator: the real machinery on a fake API server, driven by events and timers as
 * the operator framework drives it, one reconciliation at a time.
 */
final class OperatorProcess implements AutoCloseable {
  /** Ends the process at this very point. */
  static final class Crash extends Error {
    private static final long serialVersionUID = 1L;
  }

  /** The time of day, which may be set. */
  final SettableClock wall;

  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final FakeApiServer api;
  private final Machinery machinery;
  private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor();
  private final AtomicBoolean alive = new AtomicBoolean(true);
  private final List<String> events = new CopyOnWriteArrayList<>();

  OperatorProcess(
      FakeApiServer api,
      Path certificates,
      Map<String, AgentAddress> agents,
      long fencing,
      SettableClock wall) {
    this.api = api;
    this.wall = wall;
    this.machinery =
        new Machinery(
            new Machinery.World(
                wall,
                Clock.systemUTC(),
                new TlsFiles(certificates, Clock.systemUTC()),
                Duration.ofSeconds(30),
                Duration.ofMillis(100),
                AdminNamespaces.of(List.of("default")),
                api,
                new EventRecorder() {
                  @Override
                  public void tell(DeviceMigration about, EventReason reason, String note) {
                    events.add(reason.text());
                  }

                  @Override
                  public void close() {
                    // Holds nothing.
                  }
                },
                () -> fencing,
                new MigrationMetrics(meters),
                new ReconcileHealth(),
                directory -> {
                  throw new IllegalStateException("agents are located by the test");
                },
                directory -> {
                  throw new IllegalStateException("nobody asked for an inventory");
                }),
            false);
    machinery.migrationsAre(api::all);
    machinery
        .agentEvents()
        .setEventHandler(
            event -> wake(event.getRelatedCustomResourceID().getName(), Duration.ZERO));
    machinery.agentEvents().start();
    agents.forEach((node, address) -> machinery.agents().locate(node, Optional.of(address)));
    api.watch(migration -> wake(migration.getMetadata().getName(), Duration.ZERO));
    api.all().forEach(migration -> wake(migration.getMetadata().getName(), Duration.ZERO));
  }

  Machinery machinery() {
    return machinery;
  }

  List<String> events() {
    return events;
  }

  /** An event is told after the status was written, so it may be seen a little later. */
  void awaitEvents(String... reasons) {
    await()
        .atMost(Sandbox.PATIENCE)
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
      MigrationLoop.Outcome outcome = machinery.advance(migration.get());
      if (outcome.finished() && migration.get().isMarkedForDeletion()) {
        machinery.forget(migration.get());
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
    machinery.agentEvents().stop();
  }
}
