package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Sample;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.PendingTotal;
import dev.vfio.migration.operator.decision.Predecessor;
import dev.vfio.migration.operator.decision.Settings;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.record.StatusRecord;
import java.time.Clock;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Puts together what a decision may depend on. Thread-safe. */
final class Observer {
  private final AgentDirectory agents;
  private final Admissions admissions;
  private final Supplier<Collection<DeviceMigration>> all;
  private final Clock clock;
  private final Map<String, History> histories = new ConcurrentHashMap<>();

  Observer(
      AgentDirectory agents,
      Admissions admissions,
      Supplier<Collection<DeviceMigration>> all,
      Clock clock) {
    this.agents = agents;
    this.admissions = admissions;
    this.all = all;
    this.clock = clock;
  }

  Observation observe(DeviceMigration migration, Settings settings, Answers answers) {
    DeviceMigrationStatus status = StatusRecord.statusOf(migration);
    String uid = migration.getMetadata().getUid();
    int attempt = status.attempt() == null || status.attempt() < 1 ? 1 : status.attempt();
    Instant now = clock.instant();
    Side source = side(Role.SOURCE, settings.source(), uid, attempt, answers);
    Side destination = side(Role.DESTINATION, settings.destination(), uid, attempt, answers);
    return new Observation(
        now,
        uid,
        Optional.ofNullable(migration.getMetadata().getGeneration()).orElse(0L),
        migration.isMarkedForDeletion(),
        settings,
        status,
        predecessor(migration, settings, status),
        source,
        destination,
        history(uid, source, now, asksForInitialBytes(status)));
  }

  private Side side(Role role, DeviceLocation location, String uid, int attempt, Answers answers) {
    AgentConnection agent = agents.agentOf(location.nodeName());
    return new Side(
        role,
        location,
        agent.state(),
        agent.session(uid, attempt, role),
        answers.refusal(role),
        answers.inspection(role),
        answers.verification(role));
  }

  private Optional<Predecessor> predecessor(
      DeviceMigration migration, Settings settings, DeviceMigrationStatus status) {
    boolean asks =
        (status.phase() == null || status.phase() == Phase.PENDING)
            && !settings.cancel()
            && !migration.isMarkedForDeletion();
    return asks ? admissions.ask(migration, all.get()) : Optional.empty();
  }

  /**
   * In the v2 interface the bytes that must move before the destination runs are those that the
   * device wants read before it is stopped, and they only fall. The older interfaces count there
   * whatever the workload makes dirty again, so waiting for none of them could take for ever.
   */
  private static boolean asksForInitialBytes(DeviceMigrationStatus status) {
    return MigrationInterface.FEATURE_V2.name().equals(status.migrationInterface());
  }

  /** What the stall rule remembers, and the newest report. */
  private Optional<History> history(
      String uid, Side source, Instant now, boolean asksForInitialBytes) {
    Optional<Progress> progress =
        source
            .session()
            .filter(
                session ->
                    session.getState() == SessionState.SOURCE_PRECOPY && session.hasProgress())
            .map(Session::getProgress);
    return progress
        .map(
            latest ->
                new Sample(
                    now,
                    PendingTotal.of(latest),
                    latest.getBytesPerSecond(),
                    Integer.toUnsignedLong(latest.getRounds()),
                    latest.getPrecopyExhausted(),
                    asksForInitialBytes ? initialBytes(latest) : 0))
        .map(
            sample ->
                histories.compute(
                    uid,
                    (key, known) ->
                        known == null ? History.startingWith(sample) : known.and(sample)));
  }

  /** Unsigned on the wire: what looks negative here is more than 8 EiB. */
  private static long initialBytes(Progress progress) {
    long bytes = progress.getPending().getPrecopyOnly();
    return bytes < 0 ? Long.MAX_VALUE : bytes;
  }

  void forget(String uid) {
    histories.remove(uid);
  }
}
