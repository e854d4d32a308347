package dev.vfio.migration.sandbox.generators;

import java.util.stream.LongStream;

/**
 * Checks a property with the values of many seeds. The seeds are 0, 1, 2 and so on, so that every
 * run checks the same values. The message of a failure names the failing seed.
 *
 * <p>Two system properties change what is checked, for whoever looks for a fault: {@code -Dseed=N}
 * checks seed N alone; {@code -Dtries=N} checks N seeds in place of the number in the test.
 */
public final class Seeds {
  private Seeds() {}

  /** What must hold for the values of every seed. */
  @FunctionalInterface
  public interface Property {

    /**
     * Draws values and asserts what must hold of them.
     *
     * @param values draws the values of one seed
     * @throws Exception if the code under test fails, whatever it declares
     */
    void check(Generator values) throws Exception;
  }

  /**
   * Checks the property once for each seed, in the calling thread, and stops at the first failure.
   *
   * @param tries how many seeds; at least 1
   * @param property what must hold
   * @throws AssertionError if the property does not hold or throws; the message begins with the
   *     seed and the failure is the cause
   */
  public static void check(int tries, Property property) {
    Long only = Long.getLong("seed");
    LongStream seeds =
        only != null ? LongStream.of(only) : LongStream.range(0, Long.getLong("tries", tries));
    seeds.forEach(seed -> check(seed, property));
  }

  private static void check(long seed, Property property) {
    try {
      property.check(new Generator(seed));
    } catch (Exception | Error failure) {
      throw new AssertionError(
          "seed " + seed + " (-Dseed=" + seed + " checks it alone): " + failure, failure);
    }
  }
}
