package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Sample;
import dev.vfio.migration.operator.decision.Decision;
import dev.vfio.migration.operator.decision.Decisions;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.record.EventReason;
import dev.vfio.migration.operator.record.EventRecorder;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import dev.vfio.migration.operator.status.PendingTotal;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * One process of the operator: observes, decides with the operator's own decision function, records
 * with its own writer, and commands. What it knows of the object and of both agents may be old. It
 * leads, or believes that it does, or stands by.
 */
final class Replica {
  private static final int MAX_STEPS = 24;
  private static final long LOOK_AT_THE_LATEST_NANOS = 20_000_000;
  private static final int NEWS_NANOS = 2_000_000;
  private static final long RETRY_NANOS = 3_000_000;

  /** How long a replica that does not lead lets a paused migration stand still. */
  static final long SILENCE_NANOS = 15_000_000;

  private static final Set<Phase> PAUSED =
      EnumSet.of(Phase.SWITCHING_OVER, Phase.COMMITTED, Phase.ROLLING_BACK);

  private final String name;
  private final World world;
  private final Chance chance;
  private final ModelApiServer api;
  private final SessionKey key;
  private final Loop.Lane lane;
  private final ControlCalls calls;
  private final MigrationStore store;
  private final Map<Role, View> views = new EnumMap<>(Role.class);
  private StatusRecord record;
  private DeviceMigration known;
  private FirstSeenTimes firstSeen;
  private Optional<History> history;
  private OptionalLong number = OptionalLong.empty();
  private boolean up;
  private boolean queued;
  private long stoppedUntil;
  private long lastNews;
  private int turns;
  private int life;

  /** What this replica last saw of one agent. */
  private static final class View {
    private Optional<Session> session = Optional.empty();
    private int life;
    private Instant awaySince;
    private long cutUntil;
  }

  Replica(String name, World world, Chance chance, ModelApiServer api, SessionKey key) {
    this.name = name;
    this.world = world;
    this.chance = chance;
    this.api = api;
    this.key = key;
    this.lane = world.loop().lane(name);
    this.calls = new ControlCalls(world, chance, this, this::news);
    this.store = api.clientOf(this);
  }

  // ------------------------------------------------------------------ life and death

  boolean isUp() {
    return up;
  }

  boolean leads() {
    return number.isPresent();
  }

  int turns() {
    return turns;
  }

  void start() {
    up = true;
    life++;
    views.clear();
    views.put(Role.SOURCE, new View());
    views.put(Role.DESTINATION, new View());
    history = Optional.empty();
    firstSeen = FirstSeenTimes.NONE;
    known = api.object().orElse(null);
    record =
        new StatusRecord(
            store, NO_EVENTS, (migration, before, after) -> {}, steady, Duration.ofMillis(10));
    lastNews = world.loop().nanoTime();
    queued = false;
    lookAgain(LOOK_AT_THE_LATEST_NANOS);
    queue();
  }

  /** Killed: what it held in memory is gone. What it sent may still arrive. */
  void crash() {
    up = false;
    life++;
    number = OptionalLong.empty();
    calls.forget();
  }

  /** SIGSTOP: everybody else goes on. */
  void stop(long nanos) {
    stoppedUntil = world.loop().nanoTime() + nanos;
  }

  /** The lease is this replica's from now on. */
  void lead(long fencingNumber) {
    number = OptionalLong.of(fencingNumber);
    queue();
  }

  /** It cannot reach that agent for a while. */
  void cutOff(Role side, long nanos) {
    views.get(side).cutUntil = world.loop().nanoTime() + nanos;
  }

  /** Runs {@code task} unless the process is no more, later where it is stopped. */
  void goingOn(Runnable task) {
    int of = life;
    long left = stoppedUntil - world.loop().nanoTime();
    if (left > 0) {
      lane.later(left, () -> goingOn(task));
    } else if (up && of == life) {
      task.run();
    }
  }

  // ------------------------------------------------------------------ turns

  /** Something that this replica may learn of has changed. */
  void news() {
    if (up) {
      int of = life;
      lane.later(
          1 + chance.below(NEWS_NANOS),
          () -> {
            if (of == life) {
              lastNews = world.loop().nanoTime();
              queue();
            }
          });
    }
  }

  private void queue() {
    if (!queued) {
      queued = true;
      int of = life;
      lane.add(
          () -> {
            if (of == life) {
              goingOn(this::turn);
            }
          });
    }
  }

  private void lookAgain(long nanos) {
    int of = life;
    lane.later(
        nanos,
        () -> {
          if (of == life) {
            queue();
            lookAgain(nanos);
          }
        });
  }

  private void turn() {
    queued = false;
    if (known == null && api.object().isEmpty()) {
      return;
    }
    if (!chance.fault(4)) {
      // Otherwise its watch of the API server is late.
      known = api.object().orElse(known);
    }
    if (!leads()) {
      long silent = world.loop().nanoTime() - lastNews;
      if (!PAUSED.contains(statusOf(known).phaseOrPending())) {
        return;
      }
      if (silent < SILENCE_NANOS) {
        lane.later(SILENCE_NANOS - silent, this::queue);
        return;
      }
    }
    if (chance.fault(5)) {
      calls.repeatOne();
    }
    turns++;
    try {
      boolean finished = steps();
      if (finished && known.isMarkedForDeletion() && leads()) {
        api.removeFinalizer();
      }
    } catch (KubernetesClientException unreachable) {
      lane.later(RETRY_NANOS, this::queue);
    } catch (InvalidSpecException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** Takes all steps that can be taken now; true where it is finished. */
  private boolean steps() throws InvalidSpecException {
    for (int count = 0; count < MAX_STEPS; count++) {
      try {
        ControlCalls.Answers answers = calls.take(statusOf(known).phase());
        Observation seen = observe(answers);
        Decision decision = Decisions.decide(seen);
        world.decides(answers.verificationAsked());
        DeviceMigration before = known;
        StatusRecord.Result recorded = record.write(known, decision.status());
        known = recorded.migration();
        if (!known.getMetadata().getGeneration().equals(before.getMetadata().getGeneration())) {
          queue();
          return false;
        }
        calls.give(seen, decision.commands());
        if (decision.checkAgain().filter(Duration::isZero).isEmpty()) {
          decision
              .checkAgain()
              .map(Duration::toNanos)
              .filter(nanos -> nanos < LOOK_AT_THE_LATEST_NANOS)
              .ifPresent(nanos -> lane.later(nanos, this::queue));
          return decision.finished();
        }
      } catch (OutdatedException outdated) {
        Optional<DeviceMigration> fresh = store.read(Operator.NAMESPACE, Operator.NAME);
        if (fresh.isEmpty()) {
          return true;
        }
        known = fresh.get();
      }
    }
    queue();
    return false;
  }

  static DeviceMigrationStatus statusOf(DeviceMigration migration) {
    return StatusRecord.statusOf(migration);
  }

  // ------------------------------------------------------------------ observing

  private Observation observe(ControlCalls.Answers answers) throws InvalidSpecException {
    DeviceMigrationStatus status = statusOf(known);
    Settings settings = Settings.of(known.getSpec());
    Instant now = steady.instant();
    firstSeen = firstSeen.and(status, now);
    Side source = answers.enterInto(look(Role.SOURCE, settings.source(), now));
    Side destination = answers.enterInto(look(Role.DESTINATION, settings.destination(), now));
    remember(source, now);
    return new Observation(
        wall(),
        now,
        firstSeen,
        Operator.NAMESPACE,
        ADMIN_NAMESPACES,
        Operator.UID,
        known.getMetadata().getGeneration(),
        known.isMarkedForDeletion(),
        settings,
        status,
        Optional.empty(),
        source,
        destination,
        history,
        leads(),
        leads() ? number : recordedNumber(status));
  }

  private static OptionalLong recordedNumber(DeviceMigrationStatus status) {
    return status.fencingNumber() == null
        ? OptionalLong.empty()
        : OptionalLong.of(Long.parseUnsignedLong(status.fencingNumber()));
  }

  /** Wall clocks jump, back and forth; nothing may depend on them. */
  private Instant wall() {
    return steady.instant().plusSeconds(chance.fault(20) ? chance.below(200_000) - 100_000L : 0);
  }

  private Side look(Role role, DeviceLocation location, Instant now) {
    View view = views.get(role);
    Node node = role == Role.SOURCE ? world.source() : world.destination();
    boolean reached = node.isUp() && world.loop().nanoTime() >= view.cutUntil;
    if (reached) {
      view.awaySince = null;
      if (view.life != node.life()) {
        // A new connection: what was reported on the old one counts no more.
        view.life = node.life();
        view.session = Optional.empty();
      }
      SessionSnapshot reported = node.watched(key);
      if (!chance.fault(4)) {
        // Otherwise what it sees is old.
        view.session =
            Optional.ofNullable(reported).map(told -> ControlCalls.session(told, node.life()));
      }
    } else if (view.awaySince == null) {
      view.awaySince = now;
    }
    Side.Agent agent =
        reached
            ? new Side.Reachable("host")
            : new Side.Unreachable("it does not answer", view.awaySince);
    return new Side(role, location, agent, view.session, Optional.empty(), Optional.empty());
  }

  private void remember(Side source, Instant now) {
    source
        .session()
        .filter(session -> session.getState() == SessionState.SOURCE_PRECOPY)
        .filter(Session::hasProgress)
        .map(Session::getProgress)
        .map(progress -> sample(progress, now))
        .ifPresent(
            sample ->
                history =
                    Optional.of(
                        history
                            .map(before -> before.and(sample))
                            .orElseGet(() -> History.startingWith(sample))));
  }

  private static Sample sample(Progress progress, Instant now) {
    return new Sample(
        now,
        PendingTotal.of(progress),
        progress.getBytesPerSecond(),
        Integer.toUnsignedLong(progress.getRounds()),
        progress.getPrecopyExhausted(),
        0,
        true);
  }

  private static final AdminNamespaces ADMIN_NAMESPACES =
      AdminNamespaces.of(List.of(Operator.NAMESPACE));

  private static final EventRecorder NO_EVENTS =
      new EventRecorder() {
        @Override
        public void record(DeviceMigration about, EventReason reason, String note) {
          // Nobody reads them here, and no device depends on an event.
        }

        @Override
        public void close() {
          // Holds nothing.
        }
      };

  private final Clock steady =
      new Clock() {
        @Override
        public ZoneId getZone() {
          return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
          return this;
        }

        @Override
        public Instant instant() {
          return Instant.EPOCH.plusNanos(world.loop().nanoTime());
        }
      };

  @Override
  public String toString() {
    return name;
  }
}
