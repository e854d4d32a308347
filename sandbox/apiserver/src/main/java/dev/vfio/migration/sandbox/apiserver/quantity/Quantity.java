package dev.vfio.migration.sandbox.apiserver.quantity;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A Kubernetes quantity such as {@code 1Gi}, {@code 300m} or {@code 1e3}. Quantities are equal if
 * they are the same number, however they are written. Immutable.
 */
public final class Quantity implements Comparable<Quantity> {
  private static final Pattern TEXT =
      Pattern.compile(
          "([-+]?(?:\\d+\\.?\\d*|\\.\\d+))(?:([eE][-+]?\\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?)");
  private static final BigDecimal KIBI = BigDecimal.valueOf(1024);
  private static final Map<String, BigDecimal> SUFFIXES =
      Map.ofEntries(
          Map.entry("Ki", KIBI),
          Map.entry("Mi", KIBI.pow(2)),
          Map.entry("Gi", KIBI.pow(3)),
          Map.entry("Ti", KIBI.pow(4)),
          Map.entry("Pi", KIBI.pow(5)),
          Map.entry("Ei", KIBI.pow(6)),
          Map.entry("n", BigDecimal.ONE.movePointLeft(9)),
          Map.entry("u", BigDecimal.ONE.movePointLeft(6)),
          Map.entry("m", BigDecimal.ONE.movePointLeft(3)),
          Map.entry("k", BigDecimal.ONE.movePointRight(3)),
          Map.entry("M", BigDecimal.ONE.movePointRight(6)),
          Map.entry("G", BigDecimal.ONE.movePointRight(9)),
          Map.entry("T", BigDecimal.ONE.movePointRight(12)),
          Map.entry("P", BigDecimal.ONE.movePointRight(15)),
          Map.entry("E", BigDecimal.ONE.movePointRight(18)));
  private static final int DECIMALS = 9;

  /** Digits take time by their square; no quantity needs more characters. */
  private static final int LONGEST = 256;

  private final BigDecimal value;

  private Quantity(BigDecimal value) {
    this.value = value.setScale(Math.min(value.scale(), DECIMALS), RoundingMode.UP);
  }

  /** Whether a text is a quantity. */
  public static boolean isValid(String text) {
    return text.length() <= LONGEST && TEXT.matcher(text).matches();
  }

  /**
   * Reads a quantity; what is below a billionth is rounded up.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static Quantity parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (text.length() > LONGEST || !matcher.matches()) {
      throw new IllegalArgumentException(
          "quantities must match the regular expression"
              + " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    }
    String number = matcher.group(1);
    BigDecimal value = new BigDecimal(number.endsWith(".") ? number + "0" : number);
    if (matcher.group(2) != null) {
      return new Quantity(
          value.scaleByPowerOfTen(
              Integer.parseInt(matcher.group(2).substring(1).replace("+", ""))));
    }
    String suffix = matcher.group(3);
    return new Quantity(suffix == null ? value : value.multiply(SUFFIXES.get(suffix)));
  }

  /** A whole number as a quantity. */
  public static Quantity of(long number) {
    return new Quantity(BigDecimal.valueOf(number));
  }

  /** The sum. */
  public Quantity plus(Quantity other) {
    return new Quantity(value.add(other.value));
  }

  /** The difference. */
  public Quantity minus(Quantity other) {
    return new Quantity(value.subtract(other.value));
  }

  /** -1, 0 or 1. */
  public int sign() {
    return value.signum();
  }

  /** Whether it is a whole number that fits into 64 bits. */
  public boolean isInteger() {
    try {
      value.longValueExact();
      return true;
    } catch (ArithmeticException e) {
      return false;
    }
  }

  /**
   * As a whole number.
   *
   * @throws ArithmeticException if it is none or does not fit into 64 bits
   */
  public long toLong() {
    return value.longValueExact();
  }

  /** As the nearest double. */
  public double toDouble() {
    return value.doubleValue();
  }

  @Override
  public int compareTo(Quantity other) {
    return value.compareTo(other.value);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Quantity quantity && value.compareTo(quantity.value) == 0;
  }

  @Override
  public int hashCode() {
    return value.stripTrailingZeros().hashCode();
  }

  @Override
  public String toString() {
    return value.toPlainString();
  }
}
