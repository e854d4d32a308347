package dev.vfio.migration.sandbox.chaos;

import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/** Leaves faults out of a schedule until each one that is left is needed to break the rule. */
final class Minimiser {
  private final Function<Schedule, Schedule.Result> runner;

  Minimiser(Function<Schedule, Schedule.Result> runner) {
    this.runner = runner;
  }

  /**
   * A schedule of the same seed that breaks the same rule, with no fault that it can do without.
   */
  Schedule minimise(Schedule found) {
    String rule = runner.apply(found).rule();
    Schedule least = found;
    for (boolean shorter = true; shorter; ) {
      shorter = false;
      for (int fault = 0; fault < runner.apply(least).faults(); fault++) {
        Set<Integer> leftOut = new TreeSet<>(least.leftOut());
        Schedule tried = new Schedule(found.seed(), leftOut);
        if (leftOut.add(fault) && runner.apply(tried).rule().equals(rule)) {
          least = tried;
          shorter = true;
        }
      }
    }
    return least;
  }
}
