package dev.vfio.migration.operator.status;

import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.PhaseTransition;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * When this process first saw each entry of a status that a duration is counted from, by its own
 * monotonic clock. The times in the entries were written by an earlier leader, by the wall clock of
 * another machine: people read them, and here they only distinguish one entry from another. A new
 * leader therefore counts from the moment at which it first read the entry. Immutable.
 *
 * @param seen by the entry: a {@link PhaseTransition} or a {@link Condition} without its message
 */
public record FirstSeenTimes(Map<Object, Instant> seen) {
  public static final FirstSeenTimes NONE = new FirstSeenTimes(Map.of());

  /** What stays the same of a condition for as long as its status does. */
  private record Since(String type, Condition.Status status, String lastTransitionTime) {}

  public FirstSeenTimes {
    seen = Map.copyOf(seen);
  }

  /**
   * These times, for a status that is read now: a new entry is seen now, and an entry that the
   * status no longer has is forgotten.
   *
   * @param steady by the monotonic clock
   */
  public FirstSeenTimes and(DeviceMigrationStatus status, Instant steady) {
    Map<Object, Instant> now = new HashMap<>();
    Stream.concat(
            status.phaseTransitions().stream(),
            status.conditions().stream().map(FirstSeenTimes::since))
        .forEach(entry -> now.put(entry, seen.getOrDefault(entry, steady)));
    return new FirstSeenTimes(now);
  }

  /**
   * These times, where an agent that saw the whole pause reports that {@code entry} is older.
   *
   * @param steady now, by the monotonic clock
   */
  public FirstSeenTimes atLeast(PhaseTransition entry, Duration age, Instant steady) {
    Instant since = steady.minus(age);
    if (!seen.containsKey(entry) || !since.isBefore(seen.get(entry))) {
      return this;
    }
    Map<Object, Instant> corrected = new HashMap<>(seen);
    corrected.put(entry, since);
    return new FirstSeenTimes(corrected);
  }

  Optional<Instant> of(PhaseTransition entered) {
    return Optional.ofNullable(seen.get(entered));
  }

  Optional<Instant> of(Condition condition) {
    return Optional.ofNullable(seen.get(since(condition)));
  }

  private static Since since(Condition condition) {
    return new Since(condition.type(), condition.status(), condition.lastTransitionTime());
  }
}
