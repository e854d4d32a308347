package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.Steady;
import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.admission.Predecessor;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Sample;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import dev.vfio.migration.operator.status.PendingTotal;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Puts together what a decision may depend on. Thread-safe. */
@Singleton
final class Observer {
  private final AgentDirectory agents;
  private final AdminNamespaces adminNamespaces;
  private final Admissions admissions;
  private final Clock clock;
  private final Clock steady;
  private final Map<String, History> histories = new ConcurrentHashMap<>();
  private final Map<String, FirstSeenTimes> firstSeen = new ConcurrentHashMap<>();

  Observer(
      AgentDirectory agents,
      AdminNamespaces adminNamespaces,
      Admissions admissions,
      Clock clock,
      @Steady Clock steady) {
    this.agents = agents;
    this.adminNamespaces = adminNamespaces;
    this.admissions = admissions;
    this.clock = clock;
    this.steady = steady;
  }

  /**
   * @param mandate of this replica
   * @param answers to the commands of the step before
   * @param all every migration that is known, for the queue of its devices
   */
  Observation observe(
      DeviceMigration migration,
      Settings settings,
      Mandate mandate,
      Answers answers,
      Supplier<Collection<DeviceMigration>> all) {
    DeviceMigrationStatus status = StatusRecord.statusOf(migration);
    String uid = migration.getMetadata().getUid();
    int attempt = status.attempt() == null || status.attempt() < 1 ? 1 : status.attempt();
    Instant now = steady.instant();
    Side source = side(Role.SOURCE, settings.source(), migration, attempt, answers, now);
    Side destination =
        side(Role.DESTINATION, settings.destination(), migration, attempt, answers, now);
    return new Observation(
        clock.instant(),
        now,
        firstSeen(uid, status, source, now),
        migration.getMetadata().getNamespace(),
        adminNamespaces,
        uid,
        Optional.ofNullable(migration.getMetadata().getGeneration()).orElse(0L),
        migration.isMarkedForDeletion(),
        settings,
        status,
        predecessor(migration, settings, status, all),
        source,
        destination,
        history(uid, source, now, asksForInitialBytes(status)),
        mandate.leads(),
        mandate.fencingNumber(status));
  }

  private Side side(
      Role role,
      DeviceLocation location,
      DeviceMigration migration,
      int attempt,
      Answers answers,
      Instant now) {
    if (!adminNamespaces.mayUseDevices(migration)) {
      // The directory keeps every name that it is asked for, and anybody may make up names.
      return new Side(
          role,
          location,
          new Side.Absent(now),
          Optional.empty(),
          Optional.empty(),
          Optional.empty());
    }
    AgentConnection agent = agents.agentOf(location.nodeName());
    return new Side(
        role,
        location,
        agent.state(),
        agent.session(migration.getMetadata().getUid(), attempt, role),
        answers.refusal(role),
        answers.inspection(role),
        answers.verification(role));
  }

  /**
   * When this process first saw what the status says. The source's agent knows how long the
   * workload has been paused; an operator that took over meanwhile does not.
   */
  private FirstSeenTimes firstSeen(
      String uid, DeviceMigrationStatus status, Side source, Instant now) {
    return firstSeen.compute(
        uid,
        (key, known) -> {
          FirstSeenTimes seen = (known == null ? FirstSeenTimes.NONE : known).and(status, now);
          Optional<PhaseTransition> pause =
              status.phaseTransitions().stream()
                  .filter(entered -> entered.phase() == Phase.SWITCHING_OVER)
                  .reduce((first, last) -> last);
          long nanos = source.session().map(Session::getPausedNanos).orElse(0L);
          return pause.isPresent() && nanos > 0
              ? seen.atLeast(pause.get(), Duration.ofNanos(nanos), now)
              : seen;
        });
  }

  private Optional<Predecessor> predecessor(
      DeviceMigration migration,
      Settings settings,
      DeviceMigrationStatus status,
      Supplier<Collection<DeviceMigration>> all) {
    boolean asks =
        status.phaseOrPending() == Phase.PENDING
            && adminNamespaces.allow(migration.getMetadata().getNamespace())
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
                    asksForInitialBytes ? initialBytes(latest) : 0,
                    latest.getPrecopyExhausted() || PendingTotal.ofDevice(latest) > 0))
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

  /** The migration has ended; how long ago is still counted. */
  void forget(String uid) {
    histories.remove(uid);
  }

  /** The API server has no such object any more. */
  void removed(String uid) {
    forget(uid);
    firstSeen.remove(uid);
  }
}
