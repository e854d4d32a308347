package dev.vfio.migration.sandbox.chaos;

import java.util.Random;

/** Everything that is left to chance in one schedule, from one seed. */
final class Chance {
  private final Random random;
  private boolean faults = true;

  Chance(long seed) {
    this.random = new Random(seed);
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  boolean oneIn(int cases) {
    return random.nextInt(cases) == 0;
  }

  /** As {@link #oneIn}, but never while there are no faults. */
  boolean fault(int oneIn) {
    return random.nextInt(oneIn) == 0 && faults;
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
