package dev.vfio.migration.operator.api;

import dev.vfio.migration.text.ForeignText;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as Go and Kubernetes write them: {@code 300ms}, {@code 1m30s}, {@code 1.5h}. */
public final class GoDuration {
  private static final Pattern PART =
      Pattern.compile("([0-9]{1,9}(?:\\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)");

  /** Each part once, and more. */
  private static final int MAX_LENGTH = 128;

  private static final Map<String, BigDecimal> NANOS =
      Map.of(
          "ns", BigDecimal.ONE,
          "us", BigDecimal.valueOf(1_000L),
          "µs", BigDecimal.valueOf(1_000L),
          "ms", BigDecimal.valueOf(1_000_000L),
          "s", BigDecimal.valueOf(1_000_000_000L),
          "m", BigDecimal.valueOf(60_000_000_000L),
          "h", BigDecimal.valueOf(3_600_000_000_000L));

  private GoDuration() {}

  /**
   * Parses {@code text}.
   *
   * @throws IllegalArgumentException when it is no such duration or does not fit into 63 bits of
   *     nanoseconds (292 years)
   */
  public static Duration parse(String text) {
    if (text.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "'" + ForeignText.line(text, 80) + "' is too long for a duration such as 300ms or 1m30s");
    }
    Matcher parts = PART.matcher(text);
    BigDecimal nanos = BigDecimal.ZERO;
    int end = 0;
    while (parts.lookingAt()) {
      nanos = nanos.add(new BigDecimal(parts.group(1)).multiply(NANOS.get(parts.group(2))));
      end = parts.end();
      parts.region(end, text.length());
    }
    if (end == 0 || end != text.length()) {
      throw new IllegalArgumentException("'" + text + "' is not a duration such as 300ms or 1m30s");
    }
    try {
      return Duration.ofNanos(nanos.setScale(0, RoundingMode.HALF_UP).longValueExact());
    } catch (ArithmeticException tooLong) {
      throw new IllegalArgumentException("'" + text + "' is longer than 292 years", tooLong);
    }
  }

  /**
   * Writes {@code duration} with the one unit that people would choose and at most three
   * significant digits: {@code 87.4ms}, {@code 1.5s}, {@code 12m30s}.
   */
  public static String format(Duration duration) {
    long seconds = duration.toSeconds();
    if (seconds < 60) {
      return formatNanos(duration.toNanos());
    }
    if (seconds < 3600) {
      return seconds / 60 + "m" + (seconds % 60 == 0 ? "" : seconds % 60 + "s");
    }
    long minutes = seconds % 3600 / 60;
    return seconds / 3600 + "h" + (minutes == 0 ? "" : minutes + "m");
  }

  /** Of less than a minute. */
  private static String formatNanos(long nanos) {
    if (nanos < 1_000L) {
      return nanos + "ns";
    }
    if (nanos < 1_000_000L) {
      return significant(nanos, 1_000L) + "us";
    }
    if (nanos < 1_000_000_000L) {
      return significant(nanos, 1_000_000L) + "ms";
    }
    return significant(nanos, 1_000_000_000L) + "s";
  }

  static String significant(long value, long unit) {
    BigDecimal exact =
        BigDecimal.valueOf(value).divide(BigDecimal.valueOf(unit), 9, RoundingMode.HALF_UP);
    int decimals = value >= 100 * unit ? 0 : value >= 10 * unit ? 1 : 2;
    return exact.setScale(decimals, RoundingMode.HALF_UP).stripTrailingZeros().toPlainString();
  }
}
