package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.Steady;
import dev.vfio.migration.operator.agents.AgentListener;
import dev.vfio.migration.operator.agents.AgentReports;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.inventory.Leadership;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.PreDestroy;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Goes on with paused migrations while this replica does not lead. A leader that dies keeps its
 * lease for many seconds; here another replica takes the decision after {@link #MAX_SILENCE}, and
 * has it carried out. It waits for no sign that the leader is dead: what it may do is safe beside a
 * leader that lives (see {@code StandbyDecision} in the decision package), and so is the moment in
 * which this very process becomes the leader.
 *
 * <p>So that it is quick then, it watches the migrations all the time; connections to the agents
 * are kept in every replica ({@link AgentEvents}). Ends once this replica leads.
 */
@Singleton
final class Standby implements AgentListener, MigrationFeed.Watcher {
  /** How long a paused migration may stand without news before it is gone on with. */
  static final Duration MAX_SILENCE = Duration.ofSeconds(1);

  private static final Duration LOOK_EVERY = Duration.ofMillis(100);

  /** Migrations that are gone on with at a time; a turn waits for the API server and for agents. */
  private static final int THREADS = 8;

  private static final Logger LOG = Logger.getLogger(Standby.class);

  private final MigrationReconciler reconciler;
  private final MigrationRegistry registry;
  private final Leadership leadership;
  private final AgentReports reports;
  private final MigrationFeed feed;
  private final Clock steady;
  private final PausedMigrations paused = new PausedMigrations(MAX_SILENCE);
  private final Set<String> underWay = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(task -> thread(task, "standby"));
  private final ExecutorService workers =
      Executors.newFixedThreadPool(THREADS, task -> thread(task, "standby-turn"));

  private boolean fed;

  Standby(
      MigrationReconciler reconciler,
      MigrationRegistry registry,
      Leadership leadership,
      AgentReports reports,
      MigrationFeed feed,
      @Steady Clock steady) {
    this.reconciler = reconciler;
    this.registry = registry;
    this.leadership = leadership;
    this.reports = reports;
    this.feed = feed;
    this.steady = steady;
  }

  private static Thread thread(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  /** Before the controller starts: that waits for the lease. */
  void begin(@Observes @Priority(2) StartupEvent start) {
    begin();
  }

  void begin() {
    reports.subscribe(this);
    long period = LOOK_EVERY.toMillis();
    timer.scheduleWithFixedDelay(this::look, period, period, TimeUnit.MILLISECONDS);
  }

  @PreDestroy
  void end() {
    timer.shutdownNow();
    workers.shutdown();
    feed.stop();
  }

  private void look() {
    try {
      if (leadership.held()) {
        LOG.debug("This replica leads now");
        end();
      } else {
        watch();
        paused.abandoned(steady.instant()).forEach(this::goOn);
      }
    } catch (RuntimeException failure) {
      // Nothing is known then, so nothing is done; it is tried again in a moment.
      LOG.debugf(failure, "standing by");
    }
  }

  /** Until it has begun: the API server may be out of reach at first. */
  private void watch() {
    if (!fed) {
      feed.start(this);
      fed = true;
    }
  }

  private void goOn(DeviceMigration migration) {
    String uid = migration.getMetadata().getUid();
    if (!underWay.add(uid)) {
      return;
    }
    workers.execute(
        () -> {
          try {
            reconciler.advanceAsStandby(migration).ifPresent(this::changed);
          } catch (RuntimeException failure) {
            LOG.warnf(
                "%s is paused, no leader goes on with it, and this replica cannot either just now:"
                    + " %s",
                migration.qualifiedName(), failure.getMessage());
          } finally {
            underWay.remove(uid);
          }
        });
  }

  // ------------------------------------------------------------------ news

  @Override
  public void changed(DeviceMigration migration) {
    if (!paused.changed(migration, steady.instant())) {
      registry.standsStillNoMore(migration.getMetadata().getUid());
    }
  }

  @Override
  public void removed(DeviceMigration migration) {
    paused.removed(migration.getMetadata().getUid());
    registry.standsStillNoMore(migration.getMetadata().getUid());
  }

  @Override
  public void sessionChanged(Session session) {
    paused.heard(session.getMigrationUid(), steady.instant());
  }

  @Override
  public void agentChanged(String node) {
    // What is paused is looked at whether or not its agents can be reached.
  }
}
