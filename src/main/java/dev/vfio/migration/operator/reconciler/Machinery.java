package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentListener;
import dev.vfio.migration.operator.agents.AgentPods;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.AdminNamespaces;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.inventory.NodeInventory;
import dev.vfio.migration.operator.record.EventRecorder;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.operator.record.StatusRecord.StatusListener;
import java.time.Clock;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The parts of the reconciler, put together once. Everything that touches the world is handed in.
 */
public class Machinery {
  private final AgentEvents agentEvents;
  private final AgentDirectory agents;
  private final AdminNamespaces adminNamespaces;
  private final Admissions admissions;
  private final Observer observer;
  private final StatusRecord record;
  private final Commander commander;
  private final MigrationLoop loop;
  private final ReconcileHealth health;
  private final AgentPods pods;
  private final NodeInventory inventory;

  private volatile Supplier<Collection<DeviceMigration>> migrations = List::of;

  /**
   * The world.
   *
   * @param clock the time of day, for what is recorded
   * @param steady measures time within this process; never set back or forth
   * @param pods makes what finds the agents and enters them in the directory
   * @param inventory makes what lists the agents' devices for users
   */
  public record World(
      Clock clock,
      Clock steady,
      TlsFiles tls,
      Duration callTimeout,
      Duration statusInterval,
      AdminNamespaces adminNamespaces,
      MigrationStore store,
      EventRecorder events,
      FencingNumber fencing,
      StatusListener listener,
      ReconcileHealth health,
      Function<AgentDirectory, AgentPods> pods,
      Function<AgentDirectory, NodeInventory> inventory) {}

  public Machinery(World world) {
    this(world, true);
  }

  Machinery(World world, boolean findsAgents) {
    this.agentEvents = new AgentEvents(this::start, this::stop);
    this.agents = new AgentDirectory(world.tls(), world.steady(), world.callTimeout(), listeners());
    this.pods = findsAgents ? world.pods().apply(agents) : null;
    this.inventory = findsAgents ? world.inventory().apply(agents) : null;
    this.adminNamespaces = world.adminNamespaces();
    this.admissions = new Admissions(adminNamespaces);
    this.observer =
        new Observer(
            agents,
            adminNamespaces,
            admissions,
            () -> migrations.get(),
            world.clock(),
            world.steady());
    this.record =
        new StatusRecord(
            world.store(),
            world.events(),
            world.listener(),
            world.steady(),
            world.statusInterval());
    this.commander =
        new Commander(
            agents,
            world.fencing(),
            world.store(),
            world.steady(),
            world.callTimeout(),
            agentEvents::answered);
    this.loop = new MigrationLoop(observer, record, commander, world.store(), world.clock());
    this.health = world.health();
  }

  private AgentListener listeners() {
    return new AgentListener() {
      @Override
      public void sessionChanged(Session session) {
        agentEvents.sessionChanged(session);
      }

      @Override
      public void agentChanged(String node) {
        // Migrations first: somebody may be waiting.
        agentEvents.agentChanged(node);
        if (inventory != null) {
          inventory.agentChanged(node);
        }
      }

      @Override
      public void devicesChanged(String node) {
        if (inventory != null) {
          inventory.devicesChanged(node);
        }
      }
    };
  }

  private void start() {
    if (pods != null) {
      pods.start();
    }
    if (inventory != null) {
      inventory.start();
    }
  }

  private void stop() {
    if (pods != null) {
      pods.close();
    }
    if (inventory != null) {
      inventory.close();
    }
    agents.close();
  }

  /** Where all migrations are found, for the queue. */
  void migrationsAre(Supplier<Collection<DeviceMigration>> all) {
    migrations = all;
  }

  AgentEvents agentEvents() {
    return agentEvents;
  }

  AgentDirectory agents() {
    return agents;
  }

  ReconcileHealth health() {
    return health;
  }

  MigrationLoop.Outcome advance(DeviceMigration migration) {
    // What is refused for its namespace has nothing to learn from agents, however many there are.
    if (adminNamespaces.mayUseDevices(migration)) {
      agentEvents.follow(migration);
    }
    MigrationLoop.Outcome outcome = loop.advance(migration);
    if (outcome.finished()) {
      letGo(migration);
    }
    if (outcome.migration().isEmpty()) {
      gone(migration.getMetadata().getUid());
    }
    return outcome;
  }

  private void gone(String uid) {
    observer.gone(uid);
    record.gone(uid);
  }

  private void letGo(DeviceMigration migration) {
    String uid = migration.getMetadata().getUid();
    observer.forget(uid);
    commander.forget(uid);
    record.forget(uid);
    if (admissions.leave(uid) && adminNamespaces.mayUseDevices(migration)) {
      agentEvents.deviceLetGo();
    }
  }

  /** The object goes. */
  void forget(DeviceMigration migration) {
    letGo(migration);
    gone(migration.getMetadata().getUid());
    agentEvents.forget(migration.getMetadata().getUid());
    health.forget(migration.qualifiedName());
  }
}
