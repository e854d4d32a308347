package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.record.MigrationStore.ContentRefusedException;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusWriter;
import dev.vfio.migration.text.ForeignText;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/**
 * The one writer of status. Writes what matters at once, progress at most once per interval, and
 * nothing that is equal. While the workload is paused it writes nothing but phases: a write would
 * delay the handover.
 *
 * <p>Thread-safe; writes of one migration come one after another because its reconciliations do.
 */
public final class StatusRecord {
  private static final Logger LOG = Logger.getLogger(StatusRecord.class);

  /** The least time between two writes of mere progress while the workload is paused. */
  static final Duration PAUSED_INTERVAL = Duration.ofSeconds(2);

  private final MigrationStore store;
  private final EventRecorder events;
  private final StatusListener listener;
  private final Clock steady;
  private final Duration interval;
  private final Map<String, Instant> lastWritten = new ConcurrentHashMap<>();

  /** Why the whole status was not taken the last time, by the migration's uid. */
  private final Map<String, String> refusals = new ConcurrentHashMap<>();

  /** Called with every status that was written, afterwards. Must not block. */
  public interface StatusListener {
    void written(
        DeviceMigration migration, DeviceMigrationStatus before, DeviceMigrationStatus after);

    /** The API server has no such object any more. May be called more than once for it. */
    default void removed(String uid) {}
  }

  /**
   * What became of a status.
   *
   * @param migration the object as it is in the API server now, as far as is known
   * @param dueIn when a status that was held back may be written; empty when none was
   */
  public record Result(DeviceMigration migration, Optional<Duration> dueIn) {}

  /**
   * @param steady measures the time between two writes; never set back or forth
   * @param interval the least time between two writes of mere progress
   */
  public StatusRecord(
      MigrationStore store,
      EventRecorder events,
      StatusListener listener,
      Clock steady,
      Duration interval) {
    this.store = store;
    this.events = events;
    this.listener = listener;
    this.steady = steady;
    this.interval = interval;
  }

  /** Writes {@code next} now, later, or not at all. */
  public Result write(DeviceMigration migration, DeviceMigrationStatus next)
      throws OutdatedException {
    DeviceMigrationStatus before = statusOf(migration);
    if (next.equals(before)) {
      return new Result(migration, Optional.empty());
    }
    if (!matters(before, next)) {
      Duration wait =
          waitFor(
              migration,
              paused(next) && interval.compareTo(PAUSED_INTERVAL) < 0 ? PAUSED_INTERVAL : interval);
      if (!wait.isZero()) {
        return new Result(migration, Optional.of(wait));
      }
    }
    if (before.handoverOrUndecided() != Handover.UNDECIDED
        && next.handover() != before.handover()) {
      throw new IllegalStateException(
          "the handover of %s is %s and never changes again"
              .formatted(migration.qualifiedName(), before.handover().text()));
    }
    DeviceMigration written = store(migration, next);
    lastWritten.put(migration.getMetadata().getUid(), steady.instant());
    report(written, before, next);
    return new Result(written, Optional.empty());
  }

  /** A phase or a decision never waits because the API server refuses words. */
  private DeviceMigration store(DeviceMigration migration, DeviceMigrationStatus next)
      throws OutdatedException {
    String uid = migration.getMetadata().getUid();
    try {
      DeviceMigration written = store.writeStatus(migration, next);
      refusals.remove(uid);
      return written;
    } catch (ContentRefusedException refused) {
      String why = ForeignText.quote(String.valueOf(refused.getMessage()));
      if (!why.equals(refusals.put(uid, why))) {
        LOG.errorf(
            "The API server does not take the whole status (%s). The migration goes on: phase and"
                + " decision are recorded without progress and messages. Is the CRD that this"
                + " operator came with installed (kubectl apply --server-side -f crds/)?",
            why);
      }
      return storeEssential(
          migration, StatusWriter.essential(next, "The full status could not be written: " + why));
    }
  }

  private DeviceMigration storeEssential(DeviceMigration migration, DeviceMigrationStatus essential)
      throws OutdatedException {
    try {
      return store.writeStatus(migration, essential);
    } catch (ContentRefusedException refused) {
      throw new IllegalStateException(
          "the API server takes not even phase and decision of %s: %s"
              .formatted(migration.qualifiedName(), refused.getMessage()),
          refused);
    }
  }

  private void report(
      DeviceMigration written, DeviceMigrationStatus before, DeviceMigrationStatus after) {
    if (after.phase() != before.phase()) {
      LOG.infof(
          "Phase %s: %s", after.phase().text(), summary(after).orElse(after.phase().description()));
    }
    EventDifference.between(before, after)
        .forEach(event -> events.record(written, event.reason(), event.note()));
    listener.written(written, before, after);
  }

  private static Optional<String> summary(DeviceMigrationStatus status) {
    if (status.phase() == Phase.ROLLING_BACK && status.rollback() != null) {
      return Optional.of(status.rollback().message());
    }
    ConditionType explaining =
        status.conditions().stream()
                .anyMatch(
                    condition ->
                        condition.type().equals(ConditionType.VALIDATED.text())
                            && condition.status() == Condition.Status.FALSE)
            ? ConditionType.VALIDATED
            : ConditionType.SUCCEEDED;
    return status.conditions().stream()
        .filter(condition -> condition.type().equals(explaining.text()))
        .filter(condition -> status.phase().terminal() || status.phase() == Phase.ACTION_REQUIRED)
        .map(Condition::message)
        .findFirst();
  }

  /** The status of {@code migration}, or an empty one. */
  public static DeviceMigrationStatus statusOf(DeviceMigration migration) {
    return migration.getStatus() == null ? DeviceMigrationStatus.EMPTY : migration.getStatus();
  }

  /** Records an event for an object that cannot be read: its status cannot be written. */
  public void unreadable(DeviceMigration migration, String why) {
    LOG.warnf("Left alone, because it cannot be read by this version of the operator: %s", why);
    events.record(
        migration, EventReason.UNREADABLE, "Left alone, because it cannot be read: " + why);
  }

  /** The migration has ended, or its object was removed. */
  public void forget(String uid) {
    lastWritten.remove(uid);
    refusals.remove(uid);
  }

  /** The API server has no such object any more. */
  public void removed(String uid) {
    forget(uid);
    listener.removed(uid);
  }

  private Duration waitFor(DeviceMigration migration, Duration interval) {
    Instant last = lastWritten.get(migration.getMetadata().getUid());
    if (last == null) {
      return Duration.ZERO;
    }
    Duration wait = interval.minus(Duration.between(last, steady.instant()));
    return wait.isNegative() ? Duration.ZERO : wait;
  }

  private static boolean paused(DeviceMigrationStatus status) {
    return status.phase() == Phase.SWITCHING_OVER || status.phase() == Phase.COMMITTED;
  }

  private static boolean matters(DeviceMigrationStatus before, DeviceMigrationStatus next) {
    if (before.phase() != next.phase()
        || before.handover() != next.handover()
        || !Objects.equals(before.fencingNumber(), next.fencingNumber())) {
      return true;
    }
    if (paused(next)) {
      // The one condition that says why the pause lasts.
      return !reasons(before, ConditionType.HANDED_OVER)
          .equals(reasons(next, ConditionType.HANDED_OVER));
    }
    return !Objects.equals(before.observedGeneration(), next.observedGeneration())
        || !Objects.equals(before.attempt(), next.attempt())
        || !Objects.equals(before.downtime(), next.downtime())
        || !reasons(before).equals(reasons(next));
  }

  private static List<String> reasons(DeviceMigrationStatus status, ConditionType... only) {
    return status.conditions().stream()
        .filter(condition -> only.length == 0 || condition.type().equals(only[0].text()))
        .map(condition -> condition.type() + "=" + condition.status() + "/" + condition.reason())
        .toList();
  }
}
