package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.agents.AgentListener;
import dev.vfio.migration.operator.agents.AgentReports;
import dev.vfio.migration.operator.api.DeviceMigration;
import io.javaoperatorsdk.operator.processing.event.Event;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.AbstractEventSource;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Turns what agents report into reconciliations: a session that changed, an agent that came within
 * reach or went out of it, a device that another migration released. Knows the migrations that were
 * reconciled since the start, and every migration is. Thread-safe.
 */
@Singleton
final class AgentEvents extends AbstractEventSource<Session, DeviceMigration>
    implements AgentListener {
  private final Map<String, Followed> followed = new ConcurrentHashMap<>();
  private final AgentReports reports;
  private final AgentSearch search;

  private record Followed(ResourceID id, Set<String> nodes) {}

  /**
   * @param search is started and stopped with this source of events
   */
  AgentEvents(AgentReports reports, AgentSearch search) {
    super(Session.class, "agents");
    this.reports = reports;
    this.search = search;
  }

  @Override
  public synchronized void start() {
    if (!isRunning()) {
      super.start();
      // Before the inventory: a migration may be waiting.
      reports.subscribe(this);
      search.start();
    }
  }

  @Override
  public synchronized void stop() {
    if (isRunning()) {
      super.stop();
      search.stop();
    }
  }

  /** From now on {@code migration} is reconciled when one of its agents reports something. */
  void follow(DeviceMigration migration) {
    if (migration.getSpec() == null
        || migration.getSpec().source() == null
        || migration.getSpec().destination() == null) {
      return;
    }
    followed.put(
        migration.getMetadata().getUid(),
        new Followed(
            ResourceID.fromResource(migration),
            Stream.of(migration.getSpec().source(), migration.getSpec().destination())
                .map(location -> String.valueOf(location.nodeName()))
                .collect(Collectors.toUnmodifiableSet())));
  }

  void forget(String uid) {
    followed.remove(uid);
  }

  /** Devices are free again: a migration that waits for one may go on. */
  void devicesReleased() {
    followed.values().forEach(this::wake);
  }

  /** A command or question of that migration was answered. */
  void answered(String uid) {
    Followed migration = followed.get(uid);
    if (migration != null) {
      wake(migration);
    }
  }

  @Override
  public void sessionChanged(Session session) {
    answered(session.getMigrationUid());
  }

  @Override
  public void agentChanged(String node) {
    followed.values().stream()
        .filter(migration -> migration.nodes().contains(node))
        .forEach(this::wake);
  }

  private void wake(Followed migration) {
    if (isRunning() && getEventHandler() != null) {
      getEventHandler().handleEvent(new Event(migration.id()));
    }
  }

  @Override
  public Set<Session> getSecondaryResources(DeviceMigration migration) {
    return Set.of();
  }
}
