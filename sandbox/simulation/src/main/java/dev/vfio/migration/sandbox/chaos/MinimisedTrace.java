package dev.vfio.migration.sandbox.chaos;

import java.util.Set;
import java.util.function.LongFunction;

/**
 * What happened in a schedule that breaks a rule, with only the faults that are needed for it.
 * Speaks of nothing but numbers and text, as {@link FirstViolation}.
 */
public final class MinimisedTrace implements LongFunction<String> {

  @Override
  public String apply(long seed) {
    return of(new Schedule(seed, Set.of()));
  }

  static String of(Schedule violation) {
    Schedule least = new Minimiser(Schedule::run).minimise(violation);
    Schedule.Result shortest = least.run();
    return String.format(
        "seed %d breaks a rule, with %d faults of %d:%n%s",
        least.seed(),
        shortest.faults()
            - least.leftOut().stream().filter(fault -> fault < shortest.faults()).count(),
        violation.run().faults(),
        shortest.violation().orElseThrow());
  }
}
