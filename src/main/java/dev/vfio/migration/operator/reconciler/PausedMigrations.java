package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.record.StatusRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The migrations whose workload stands still, and since when nothing more was heard of each: of its
 * object, or of a session of it. Where a leader goes on with one, something always is. Thread-safe.
 */
final class PausedMigrations {
  private static final Set<Phase> PAUSED =
      EnumSet.of(Phase.SWITCHING_OVER, Phase.COMMITTED, Phase.ROLLING_BACK);

  private final Duration silence;
  private final Map<String, Paused> paused = new ConcurrentHashMap<>();

  private record Paused(DeviceMigration migration, Instant lastNews) {}

  /**
   * @param silence how long nothing may be heard
   */
  PausedMigrations(Duration silence) {
    this.silence = silence;
  }

  /**
   * The object is like this now.
   *
   * @param now by the monotonic clock
   * @return false where its workload does not stand still, or no more
   */
  boolean changed(DeviceMigration migration, Instant now) {
    String uid = migration.getMetadata().getUid();
    boolean stands = PAUSED.contains(StatusRecord.statusOf(migration).phaseOrPending());
    if (stands) {
      paused.put(uid, new Paused(migration, now));
    } else {
      paused.remove(uid);
    }
    return stands;
  }

  void removed(String uid) {
    paused.remove(uid);
  }

  /** A session of that migration is another now. */
  void heard(String uid, Instant now) {
    paused.computeIfPresent(uid, (key, known) -> new Paused(known.migration(), now));
  }

  /** Those of which nothing was heard for that long. */
  List<DeviceMigration> abandoned(Instant now) {
    return paused.values().stream()
        .filter(known -> Duration.between(known.lastNews(), now).compareTo(silence) >= 0)
        .map(Paused::migration)
        .toList();
  }
}
