package dev.vfio.migration.sandbox.chaos;

import java.io.IOException;
import java.util.Optional;
import java.util.function.LongFunction;

/** Whether the search finds a planted bug. */
final class PlantedSearch {
  /** Within so many schedules each planted bug is to be found. */
  static final long SCHEDULES = 1000;

  private PlantedSearch() {}

  /**
   * The first schedule that breaks a rule.
   *
   * @param seed also how many schedules broke nothing before
   */
  record Found(long seed, String story) {}

  /**
   * @param schedules how many are run, at most
   * @return empty where none of them broke a rule
   */
  static Optional<Found> find(PlantedBug bug, long schedules) throws IOException {
    @SuppressWarnings("unchecked")
    LongFunction<String> search =
        EditedClasses.of(bug.className(), bug.edited())
            .create(FirstViolation.class, LongFunction.class);
    return Optional.ofNullable(search.apply(schedules))
        .map(said -> said.split("\n", 2))
        .map(parts -> new Found(Long.parseLong(parts[0]), parts[1]));
  }
}
