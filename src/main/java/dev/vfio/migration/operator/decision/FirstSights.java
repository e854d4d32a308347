package dev.vfio.migration.operator.decision;

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
 * monotonic clock. The times that the entries carry were written by whoever led then, by a wall
 * clock of another machine: they are told to people, and here they only tell one entry from
 * another. So a new leader counts from its own first look. Immutable.
 *
 * @param seen by the entry: a {@link PhaseTransition} or a {@link Condition} without its message
 */
public record FirstSights(Map<Object, Instant> seen) {
  public static final FirstSights NONE = new FirstSights(Map.of());

  /** What stays the same of a condition for as long as its status does. */
  private record Since(String type, Condition.Status status, String lastTransitionTime) {}

  public FirstSights {
    seen = Map.copyOf(seen);
  }

  /**
   * These, for a status that is looked at now: entries that are new are seen now, and those that
   * are gone are forgotten.
   *
   * @param steady by the monotonic clock
   */
  public FirstSights and(DeviceMigrationStatus status, Instant steady) {
    Map<Object, Instant> now = new HashMap<>();
    Stream.concat(
            status.phaseTransitions().stream(),
            status.conditions().stream().map(FirstSights::since))
        .forEach(entry -> now.put(entry, seen.getOrDefault(entry, steady)));
    return new FirstSights(now);
  }

  /**
   * These, where somebody who saw it all the time says that an entry is that old.
   *
   * @param steady now, by the monotonic clock
   */
  public FirstSights atLeast(PhaseTransition entry, Duration age, Instant steady) {
    Instant since = steady.minus(age);
    if (!seen.containsKey(entry) || !since.isBefore(seen.get(entry))) {
      return this;
    }
    Map<Object, Instant> corrected = new HashMap<>(seen);
    corrected.put(entry, since);
    return new FirstSights(corrected);
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
