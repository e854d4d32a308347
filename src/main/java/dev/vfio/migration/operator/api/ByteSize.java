package dev.vfio.migration.operator.api;

import dev.vfio.migration.text.ForeignText;
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Objects;
import java.util.regex.Pattern;

/** Sizes and rates in bytes, as Kubernetes writes quantities. */
public final class ByteSize {
  private static final String[] UNITS = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

  private static final int MAX_LENGTH = 64;

  /** ASCII alone: Java also reads the digits of other scripts as numbers, in an exponent too. */
  private static final Pattern NUMBER =
      Pattern.compile("[-+]?[0-9]*\\.?[0-9]*(?:[eE][-+]?[0-9]{1,2}|[A-Za-z]{0,2})");

  private ByteSize() {}

  /**
   * The number of bytes that {@code quantity} stands for, rounded up.
   *
   * @throws IllegalArgumentException when it is negative, no number, or needs more than 63 bits
   */
  public static long parse(Quantity quantity) {
    BigDecimal bytes = Quantity.getAmountInBytes(requireNumber(quantity));
    if (bytes.signum() < 0) {
      throw new IllegalArgumentException("'" + quantity + "' is negative");
    }
    try {
      return bytes.setScale(0, RoundingMode.CEILING).longValueExact();
    } catch (ArithmeticException tooLarge) {
      throw new IllegalArgumentException("'" + quantity + "' is more than 8Ei", tooLarge);
    }
  }

  /**
   * A quantity that is a number which can be computed with, or compared: an exponent of millions
   * takes hours and all of the memory to be written out. Null stays null.
   *
   * @throws IllegalArgumentException when it is none, or longer or larger than any size is
   */
  static Quantity requireNumber(Quantity quantity) {
    if (quantity == null) {
      return null;
    }
    String text = quantity.getAmount() + Objects.toString(quantity.getFormat(), "");
    if (text.length() > MAX_LENGTH || !NUMBER.matcher(text).matches()) {
      throw new IllegalArgumentException(
          "'%s' is no size such as 500Mi; an exponent has at most two digits"
              .formatted(ForeignText.line(text, 80)));
    }
    try {
      Quantity.getAmountInBytes(quantity);
      return quantity;
    } catch (ArithmeticException | IllegalArgumentException | NullPointerException malformed) {
      throw new IllegalArgumentException(
          "'" + ForeignText.line(text, 80) + "' is no size such as 500Mi", malformed);
    }
  }

  /** Three significant digits and a binary unit: {@code 0}, {@code 512}, {@code 12.5Mi}. */
  public static String format(long bytes) {
    int unit = 0;
    // From 1000 of a unit on the next one is shorter to read.
    while (unit < UNITS.length - 1 && bytes >> (10 * unit) >= 1000) {
      unit++;
    }
    return GoDuration.significant(bytes, 1L << (10 * unit)) + UNITS[unit];
  }

  /** As {@link #format(long)}, per second. */
  public static String formatRate(long bytesPerSecond) {
    return format(bytesPerSecond) + "/s";
  }
}
