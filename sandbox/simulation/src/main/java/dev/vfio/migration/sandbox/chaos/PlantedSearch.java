package dev.vfio.migration.sandbox.chaos;

import java.io.IOException;
import java.util.Optional;
import java.util.function.LongFunction;

/** Schedules of the code with one planted bug in it. */
final class PlantedSearch {
  /** Within so many schedules each planted bug is to be found. */
  static final long SCHEDULES = 1000;

  private final EditedClasses classes;

  /**
   * @throws IllegalStateException where the bug no longer fits the code
   */
  PlantedSearch(PlantedBug bug) throws IOException {
    this.classes = EditedClasses.of(bug.className(), bug.edited());
  }

  /**
   * The first seed, from 0 on, whose schedule breaks a rule.
   *
   * @param schedules how many are run, at most
   * @return empty where none of them broke a rule
   */
  Optional<Long> find(long schedules) {
    LongFunction<?> search = classes.create(FirstViolation.class, LongFunction.class);
    return Optional.ofNullable((Long) search.apply(schedules));
  }

  /** What happens in the schedule of a seed that was found. */
  String trace(long seed) {
    LongFunction<?> trace = classes.create(MinimisedTrace.class, LongFunction.class);
    return (String) trace.apply(seed);
  }
}
