package dev.vfio.migration.sandbox.devices.content;

/**
 * Which page the i-th write of the workload hits: {@code page(i) = (multiplier * i + shift) mod
 * pages} with a multiplier prime to the number of pages.
 *
 * <p>The order visits every page once before it visits any twice, and it can be inverted: the last
 * write that hit a page follows in constant time from the number of writes made so far. That is
 * what lets a destination prove the whole state from the step number alone.
 *
 * <p>The version of a page is the ordinal of its last write plus one; 0 is a page never written.
 * Immutable and thread-safe.
 */
public final class WriteOrder {
  private static final double GOLDEN_SECTION = 0.6180339887498949;

  private final long pages;
  private final long multiplier;
  private final long inverse;
  private final long shift;

  /**
   * @param pages how many pages there are, 1 to 2^30 (so that products stay within 63 bits)
   */
  public WriteOrder(long seed, long pages) {
    if (pages < 1 || pages > 1L << 30) {
      throw new IllegalArgumentException("a write order needs 1 to 2^30 pages, not " + pages);
    }
    this.pages = pages;
    long candidate = Math.max(1, (long) (pages * GOLDEN_SECTION));
    while (greatestCommonDivisor(candidate, pages) != 1) {
      candidate++;
    }
    this.multiplier = candidate % pages;
    this.inverse = pages == 1 ? 0 : invert(candidate, pages);
    this.shift = Math.floorMod(Mix.of(seed, pages), pages);
  }

  public long pages() {
    return pages;
  }

  /** The page that write number {@code ordinal} (from 0) hits. */
  public long pageOf(long ordinal) {
    return (multiplier * (ordinal % pages) + shift) % pages;
  }

  /** The version of {@code page} after {@code writes} writes in all. */
  public long versionAfter(long page, long writes) {
    return versionAt(firstOrdinalOf(page), writes);
  }

  /** The lowest ordinal that hits {@code page}; the others follow every {@link #pages()}. */
  public long firstOrdinalOf(long page) {
    return inverse * Math.floorMod(page - shift, pages) % pages;
  }

  /** {@link #firstOrdinalOf} of the page after the one whose first ordinal is given. */
  public long firstOrdinalOfNext(long firstOrdinal) {
    long next = firstOrdinal + inverse;
    return next >= pages ? next - pages : next;
  }

  /** The version, after {@code writes} writes, of the page with that first ordinal. */
  public long versionAt(long firstOrdinal, long writes) {
    if (writes <= firstOrdinal) {
      return 0;
    }
    long rounds = (writes - 1) / pages;
    long last = firstOrdinal + rounds * pages;
    return (last < writes ? last : last - pages) + 1;
  }

  private static long greatestCommonDivisor(long first, long second) {
    return second == 0 ? first : greatestCommonDivisor(second, first % second);
  }

  private static long invert(long value, long modulus) {
    long remainder = modulus;
    long nextRemainder = value % modulus;
    long coefficient = 0;
    long nextCoefficient = 1;
    while (nextRemainder != 0) {
      long quotient = remainder / nextRemainder;
      long newRemainder = remainder - quotient * nextRemainder;
      remainder = nextRemainder;
      nextRemainder = newRemainder;
      long newCoefficient = coefficient - quotient * nextCoefficient;
      coefficient = nextCoefficient;
      nextCoefficient = newCoefficient;
    }
    return Math.floorMod(coefficient, modulus);
  }
}
