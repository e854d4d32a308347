package dev.vfio.migration.sandbox.apiserver.quantity;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Durations in the text form of Go ({@code 1h30m}, {@code 300ms}, {@code -1.5s}), as Kubernetes
 * uses it.
 */
public final class GoDuration {
  private static final Pattern WHOLE =
      Pattern.compile("[-+]?(0|(\\d+(\\.\\d*)?|\\.\\d+)(ns|us|µs|μs|ms|s|m|h))+");
  private static final Pattern PART =
      Pattern.compile("(\\d+\\.?\\d*|\\.\\d+)(ns|us|µs|μs|ms|s|m|h)");
  private static final Map<String, Long> NANOSECONDS =
      Map.of(
          "ns", 1L,
          "us", 1_000L,
          "µs", 1_000L,
          "μs", 1_000L,
          "ms", 1_000_000L,
          "s", 1_000_000_000L,
          "m", 60_000_000_000L,
          "h", 3_600_000_000_000L);

  /** The pattern goes deeper with every part; no duration needs more characters. */
  private static final int LONGEST = 256;

  private GoDuration() {}

  /** Whether a text is a duration within about 292 years. */
  public static boolean isValid(String text) {
    if (!isWritten(text)) {
      return false;
    }
    try {
      return parse(text) != null;
    } catch (ArithmeticException e) {
      return false;
    }
  }

  /**
   * Reads a duration.
   *
   * @throws IllegalArgumentException if it is none
   * @throws ArithmeticException if it is longer than about 292 years
   */
  public static Duration parse(String text) {
    if (!isWritten(text)) {
      throw new IllegalArgumentException("not a duration such as 1h30m or 300ms: \"" + text + "\"");
    }
    BigDecimal total = BigDecimal.ZERO;
    Matcher parts = PART.matcher(text);
    while (parts.find()) {
      BigDecimal unit = BigDecimal.valueOf(NANOSECONDS.get(parts.group(2)));
      total = total.add(new BigDecimal(complete(parts.group(1))).multiply(unit));
    }
    long nanoseconds = total.toBigInteger().longValueExact();
    return Duration.ofNanos(text.startsWith("-") ? -nanoseconds : nanoseconds);
  }

  private static boolean isWritten(String text) {
    return text.length() <= LONGEST && WHOLE.matcher(text).matches();
  }

  private static String complete(String number) {
    return number.endsWith(".") ? number + "0" : number;
  }
}
