package dev.vfio.migration.sandbox.devices;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads sizes, rates and durations as they are written on the command line. */
public final class Quantities {
  private static final Pattern NOTATION = Pattern.compile("([0-9]{1,18})([A-Za-z]*)");
  private static final Map<String, Long> BYTES =
      Map.of(
          "", 1L, "B", 1L, "KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30, "Ki", 1L << 10, "Mi",
          1L << 20, "Gi", 1L << 30);
  private static final Map<String, Long> NANOSECONDS =
      Map.of("ns", 1L, "us", 1_000L, "ms", 1_000_000L, "s", 1_000_000_000L);

  private Quantities() {}

  /** Bytes from {@code 64MiB}; a bare number is bytes. */
  public static long size(String text) {
    return read(text, text, BYTES, "a size is a number with B, KiB, MiB or GiB");
  }

  /** Bytes a second from {@code 8MiB/s}; {@code /s} may be left out. */
  static long rate(String text) {
    String amount = text.endsWith("/s") ? text.substring(0, text.length() - 2) : text;
    return read(text, amount, BYTES, "a rate is a size and '/s'");
  }

  /** Nanoseconds from {@code 1ms}. */
  static long duration(String text) {
    return read(text, text, NANOSECONDS, "a duration is a number with ns, us, ms or s");
  }

  private static long read(String text, String amount, Map<String, Long> units, String rule) {
    Matcher matcher = NOTATION.matcher(amount);
    if (!matcher.matches() || !units.containsKey(matcher.group(2))) {
      throw new IllegalArgumentException(rule + ", not '" + text + "'");
    }
    try {
      return Math.multiplyExact(Long.parseLong(matcher.group(1)), units.get(matcher.group(2)));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("'" + text + "' is too large", e);
    }
  }
}
