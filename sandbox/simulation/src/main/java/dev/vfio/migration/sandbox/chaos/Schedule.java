package dev.vfio.migration.sandbox.chaos;

import java.util.Optional;
import java.util.Set;

/**
 * One schedule, which its seed and the faults that are left out of it determine.
 *
 * @param leftOut see {@link Chance}
 */
record Schedule(long seed, Set<Integer> leftOut) {

  /**
   * How it went.
   *
   * @param outcome empty where it broke a rule
   * @param violation what it broke, and the trace; empty where it broke nothing
   * @param faults how many there were, with those that were left out
   */
  record Result(Optional<Outcome> outcome, Optional<String> violation, int faults) {

    /** What was broken, without the states and the trace; empty where nothing was. */
    String rule() {
      return violation.map(text -> text.lines().findFirst().orElse("")).orElse("").split(" \\(")[0];
    }
  }

  /** Every other seed has its faults from the moment on when the destination is loaded. */
  Result run() {
    World world = new World(seed, leftOut);
    try {
      if (seed % 2 == 0) {
        world.live();
      } else {
        world.liveThroughTransfer();
      }
      return new Result(Optional.of(world.outcome()), Optional.empty(), world.faults());
    } catch (AssertionError | RuntimeException violation) {
      String said = String.valueOf(violation.getMessage());
      return new Result(Optional.empty(), Optional.of(said), world.faults());
    }
  }
}
