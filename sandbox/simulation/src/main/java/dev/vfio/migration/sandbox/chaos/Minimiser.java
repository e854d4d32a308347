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
    Schedule least = found;
    Schedule.Result result = runner.apply(found);
    String rule = result.rule();
    for (boolean shorter = true; shorter; ) {
      shorter = false;
      for (int fault = 0; fault < result.faults(); fault++) {
        Set<Integer> leftOut = new TreeSet<>(least.leftOut());
        if (!leftOut.add(fault)) {
          continue;
        }
        Schedule tried = new Schedule(found.seed(), leftOut);
        Schedule.Result without = runner.apply(tried);
        if (without.rule().equals(rule)) {
          least = tried;
          result = without;
          shorter = true;
        }
      }
    }
    return least;
  }
}
