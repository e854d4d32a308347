package dev.vfio.migration.sandbox.generators;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * Draws the values of one seed: the same seed and the same calls in the same order give the same
 * values. Faults gather at the edges of a range and among small numbers, therefore both come more
 * often than an even chance would bring them. Seed 0 draws the smallest value of every range and
 * seed 1 the largest. Not thread-safe.
 */
public final class Generator {
  private final SplittableRandom random;
  private final long seed;

  /** One draw in so many is the edge of its range. */
  private final int edgesAmong;

  Generator(long seed) {
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    // Where several values are drawn, some seeds bring many edges together.
    this.edgesAmong = seed % 4 == 0 ? 2 : 12;
  }

  /** Returns a number that seeds another source of chance. */
  public long seed() {
    return random.nextLong();
  }

  /** Returns any {@code long}. */
  public long anyLong() {
    return number(Long.MIN_VALUE, Long.MAX_VALUE);
  }

  /** Returns any {@code int}. */
  public int anyInt() {
    return integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
  }

  /** Returns an integer of the range, both ends included. */
  public int integer(int min, int max) {
    return (int) number(min, max);
  }

  /**
   * Returns a number of the range, both ends included.
   *
   * @throws IllegalArgumentException if the range is empty
   */
  public long number(long min, long max) {
    if (min > max) {
      throw new IllegalArgumentException("no number is between " + min + " and " + max);
    }
    if (seed == 0 || min == max) {
      return min;
    }
    if (seed == 1) {
      return max;
    }
    if (random.nextInt(edgesAmong) == 0) {
      return edge(min, max);
    }
    return random.nextBoolean() ? small(min, max) : even(min, max);
  }

  /** The ends, their neighbours, and the numbers about zero, as far as the range has them. */
  private long edge(long min, long max) {
    long[] edges = {min, max, min + 1, max - 1, 0, 1, -1};
    long edge = edges[random.nextInt(edges.length)];
    return edge < min || edge > max ? min : edge;
  }

  /** Every order of magnitude is as likely as every other, counted from the number nearest zero. */
  private long small(long min, long max) {
    long nearest = Math.max(min, Math.min(max, 0));
    boolean below = nearest > min && (nearest == max || random.nextBoolean());
    long room = below ? nearest - min : max - nearest;
    // The distance from zero to Long.MIN_VALUE is one more than a long can tell.
    long most = room < 0 ? Long.MAX_VALUE : room;
    int bits = 64 - Long.numberOfLeadingZeros(most);
    long distance = random.nextLong() >>> (64 - random.nextInt(1, bits + 1));
    distance = Math.min(distance, most);
    return below ? nearest - distance : nearest + distance;
  }

  private long even(long min, long max) {
    return max == Long.MAX_VALUE
        ? min == Long.MIN_VALUE ? random.nextLong() : random.nextLong(min - 1, max) + 1
        : random.nextLong(min, max + 1);
  }

  /** Returns a number of the range; its ends come often. */
  public double decimal(double min, double max) {
    int choice = integer(0, edgesAmong);
    return choice == 0 ? min : choice == edgesAmong ? max : random.nextDouble(min, max);
  }

  /** Returns true as often as the probability, between 0 and 1, says. */
  public boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  /** Returns one of the values, each as likely as the others. */
  @SafeVarargs
  public final <T> T oneOf(T... values) {
    return values[random.nextInt(values.length)];
  }

  /** Returns one of the values, each as likely as the others. */
  public <T> T oneOf(List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  /** Returns a list that may be changed; its size is of the range, both ends included. */
  public <T> List<T> list(int minSize, int maxSize, Supplier<? extends T> element) {
    int size = integer(minSize, maxSize);
    List<T> list = new ArrayList<>(size);
    for (int index = 0; index < size; index++) {
      list.add(element.get());
    }
    return list;
  }

  /** Returns bytes; their number is of the range, both ends included. */
  public byte[] bytes(int minLength, int maxLength) {
    byte[] bytes = new byte[integer(minLength, maxLength)];
    if (chance(0.5)) {
      random.nextBytes(bytes);
    } else {
      for (int index = 0; index < bytes.length; index++) {
        bytes[index] = (byte) integer(Byte.MIN_VALUE, Byte.MAX_VALUE);
      }
    }
    return bytes;
  }

  /** Returns a text; the number of its code points is of the range, both ends included. */
  public String text(int minLength, int maxLength, IntSupplier codePoint) {
    int length = integer(minLength, maxLength);
    StringBuilder text = new StringBuilder();
    for (int index = 0; index < length; index++) {
      text.appendCodePoint(codePoint.getAsInt());
    }
    return text.toString();
  }

  /**
   * Returns any code point: control characters, halves of a pair, marks that turn the direction of
   * a line and characters beyond 16 bits come often.
   */
  public int anyCodePoint() {
    return (int)
        switch (random.nextInt(8)) {
          case 0 -> even(0, 0x1f);
          case 1 -> even(0x7f, 0xff);
          case 2 -> even(Character.MIN_SURROGATE, Character.MAX_SURROGATE);
          case 3 -> even(0x2000, 0x206f);
          case 4 -> even(Character.MIN_SUPPLEMENTARY_CODE_POINT, Character.MAX_CODE_POINT);
          case 5 -> even(Character.MIN_CODE_POINT, 0xffff);
          default -> even(0x20, 0x7e);
        };
  }
}
