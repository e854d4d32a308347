package dev.vfio.migration.sandbox.chaos;

import java.util.Random;
import java.util.Set;

/** Everything that is left to chance in one schedule, from one seed. */
final class Chance {
  private final Random random;
  private final Set<Integer> leftOut;
  private boolean faults = true;
  private int happened;

  Chance(long seed) {
    this(seed, Set.of());
  }

  /**
   * @param leftOut faults that do not happen, numbered from 0 in the order in which they would
   */
  Chance(long seed, Set<Integer> leftOut) {
    this.random = new Random(seed);
    this.leftOut = leftOut;
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  boolean oneIn(int cases) {
    return random.nextInt(cases) == 0;
  }

  /** As {@link #oneIn}, but never while there are no faults. */
  boolean fault(int oneIn) {
    return random.nextInt(oneIn) == 0 && faults && !leftOut.contains(happened++);
  }

  /** How many faults there were, with those that were left out. */
  int happened() {
    return happened;
  }

  boolean faults() {
    return faults;
  }

  void beginFaults() {
    faults = true;
  }

  void endFaults() {
    faults = false;
  }
}
