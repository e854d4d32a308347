package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.decision.Decision;
import dev.vfio.migration.operator.decision.Decisions;
import dev.vfio.migration.operator.decision.InvalidSpecException;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Settings;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import dev.vfio.migration.operator.record.StatusRecord;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Observe, decide, record, act, until nothing more can be done without news.
 *
 * <p>The record comes before the act: no command is given that the record does not account for. A
 * decision that was taken on an outdated object is dropped, and the object as it is now is obeyed.
 * Reconciliations of one migration come one after another; those of different migrations run in
 * parallel.
 */
final class MigrationLoop {
  /** More steps than any migration takes without news; what is left is done after a pause. */
  static final int MOST_STEPS = 24;

  static final Duration BREATH = Duration.ofMillis(200);

  private static final Logger LOG = Logger.getLogger(MigrationLoop.class);

  private final Observer observer;
  private final StatusRecord record;
  private final Commander commander;
  private final MigrationStore store;
  private final Clock clock;

  /**
   * Where a reconciliation left off.
   *
   * @param migration the object as it is now; empty when it is gone
   * @param checkAgain when to look again should no event come; empty: only on an event
   * @param finished ended, and nothing is left to be cleaned up
   */
  record Outcome(
      Optional<DeviceMigration> migration, Optional<Duration> checkAgain, boolean finished) {}

  MigrationLoop(
      Observer observer,
      StatusRecord record,
      Commander commander,
      MigrationStore store,
      Clock clock) {
    this.observer = observer;
    this.record = record;
    this.commander = commander;
    this.store = store;
    this.clock = clock;
  }

  Outcome advance(DeviceMigration migration) {
    DeviceMigration current = migration;
    Answers answers = Answers.none();
    for (int step = 0; step < MOST_STEPS; step++) {
      Optional<String> unreadable = unreadable(current);
      if (unreadable.isPresent()) {
        record.unreadable(current, unreadable.get());
        return new Outcome(Optional.of(current), Optional.empty(), false);
      }
      try {
        Reading reading = read(current);
        Observation seen = observer.observe(current, reading.settings(), answers);
        Decision decision =
            reading.problem().isPresent()
                ? Decisions.underWay(seen, reading.problem().get())
                : Decisions.decide(seen);
        StatusRecord.Result recorded = record.write(current, decision.status());
        boolean outdated = !sameRequest(current, recorded.migration());
        current = recorded.migration();
        answers =
            outdated ? Answers.none() : commander.carryOut(current, seen, decision.commands());
        if (!outdated && !goesOn(decision, answers)) {
          return new Outcome(
              Optional.of(current),
              soonest(decision.checkAgain(), recorded.dueIn()),
              decision.finished());
        }
      } catch (InvalidSpecException invalid) {
        return refuse(current, invalid);
      } catch (OutdatedException outdated) {
        LOG.debugf("Deciding again: %s", outdated.getMessage());
        Optional<DeviceMigration> fresh =
            store.read(current.getMetadata().getNamespace(), current.getMetadata().getName());
        if (fresh.isEmpty()
            || !fresh.get().getMetadata().getUid().equals(current.getMetadata().getUid())) {
          return new Outcome(Optional.empty(), Optional.empty(), true);
        }
        current = fresh.get();
        answers = Answers.none();
      }
    }
    return new Outcome(Optional.of(current), Optional.of(BREATH), false);
  }

  private Outcome refuse(DeviceMigration current, InvalidSpecException invalid) {
    DeviceMigrationStatus status = StatusRecord.statusOf(current);
    long generation = Optional.ofNullable(current.getMetadata().getGeneration()).orElse(0L);
    Decision decision = Decisions.invalid(clock.instant(), generation, status, invalid);
    try {
      DeviceMigration written = record.write(current, decision.status()).migration();
      return new Outcome(Optional.of(written), Optional.empty(), decision.finished());
    } catch (OutdatedException outdated) {
      // Its event is on the way, or it is gone.
      return new Outcome(Optional.of(current), Optional.of(BREATH), false);
    }
  }

  private static boolean goesOn(Decision decision, Answers answers) {
    return decision.checkAgain().filter(Duration::isZero).isPresent() || answers.tellSomething();
  }

  /**
   * False when the object that was written to is not the one that was decided on: cancelled, or
   * deleted, in between.
   */
  private static boolean sameRequest(DeviceMigration decided, DeviceMigration written) {
    return decided.isMarkedForDeletion() == written.isMarkedForDeletion()
        && java.util.Objects.equals(
            decided.getMetadata().getGeneration(), written.getMetadata().getGeneration());
  }

  private static Optional<String> unreadable(DeviceMigration migration) {
    DeviceMigrationStatus status = StatusRecord.statusOf(migration);
    if (status.unreadable() != null) {
      return Optional.of("status: " + status.unreadable());
    }
    return Optional.empty();
  }

  /** A spec as far as it can be carried out, and what is wrong with it. */
  private record Reading(Settings settings, Optional<InvalidSpecException> problem) {}

  private static Reading read(DeviceMigration migration) throws InvalidSpecException {
    try {
      return new Reading(Settings.of(migration.getSpec()), Optional.empty());
    } catch (InvalidSpecException invalid) {
      Optional<Settings> remains =
          Decisions.untouched(StatusRecord.statusOf(migration))
              ? Optional.empty()
              : Settings.remainsOf(migration.getSpec());
      return new Reading(remains.orElseThrow(() -> invalid), Optional.of(invalid));
    }
  }

  private static Optional<Duration> soonest(Optional<Duration> one, Optional<Duration> other) {
    return one.isPresent() && other.isPresent()
        ? Optional.of(one.get().compareTo(other.get()) < 0 ? one.get() : other.get())
        : one.or(() -> other);
  }
}
