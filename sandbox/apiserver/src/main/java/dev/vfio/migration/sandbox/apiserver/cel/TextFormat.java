package dev.vfio.migration.sandbox.apiserver.cel;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The function {@code 'text %s %d'.format([...])} of CEL's string extensions. Stateless. */
final class TextFormat {
  private static final int DEFAULT_DECIMALS = 6;

  private TextFormat() {}

  static String format(String pattern, List<?> arguments) {
    StringBuilder text = new StringBuilder();
    int next = 0;
    for (int i = 0; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      if (c != '%') {
        text.append(c);
        continue;
      }
      i++;
      int decimals = DEFAULT_DECIMALS;
      if (i < pattern.length() && pattern.charAt(i) == '.') {
        int start = ++i;
        while (i < pattern.length() && Character.isDigit(pattern.charAt(i))) {
          i++;
        }
        decimals = Integer.parseInt(pattern.substring(start, i));
      }
      if (i >= pattern.length()) {
        throw new IllegalArgumentException("unexpected end of format string");
      }
      if (pattern.charAt(i) == '%') {
        text.append('%');
        continue;
      }
      if (next >= arguments.size()) {
        throw new IllegalArgumentException("index " + next + " out of range");
      }
      text.append(clause(pattern.charAt(i), decimals, arguments.get(next++)));
    }
    return text.toString();
  }

  private static String clause(char kind, int decimals, Object value) {
    return switch (kind) {
      case 's' -> text(value);
      case 'd' -> Long.toString(number(value).longValue());
      case 'f' -> String.format(Locale.ROOT, "%." + decimals + "f", number(value).doubleValue());
      case 'e' -> String.format(Locale.ROOT, "%." + decimals + "e", number(value).doubleValue());
      case 'x' ->
          value instanceof String hex
              ? hex(hex, false)
              : Long.toHexString(number(value).longValue());
      case 'X' ->
          value instanceof String hex
              ? hex(hex, true)
              : Long.toHexString(number(value).longValue()).toUpperCase(Locale.ROOT);
      case 'o' -> Long.toOctalString(number(value).longValue());
      case 'b' ->
          value instanceof Boolean flag
              ? (flag ? "1" : "0")
              : Long.toBinaryString(number(value).longValue());
      default ->
          throw new IllegalArgumentException("unrecognized formatting clause \"" + kind + "\"");
    };
  }

  private static Number number(Object value) {
    if (value instanceof Number number) {
      return number;
    }
    throw new IllegalArgumentException("a number is needed, not " + text(value));
  }

  private static String text(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(TextFormat::text).collect(Collectors.joining(", ", "[", "]"));
    }
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(entry -> text(entry.getKey()) + ": " + text(entry.getValue()))
          .sorted()
          .collect(Collectors.joining(", ", "{", "}"));
    }
    if (value instanceof Duration duration) {
      return duration.toNanos() % 1_000_000_000L == 0
          ? duration.toSeconds() + "s"
          : duration.toNanos() / 1e9 + "s";
    }
    return String.valueOf(value);
  }

  private static String hex(String text, boolean upper) {
    StringBuilder hex = new StringBuilder();
    for (byte b : text.getBytes(java.nio.charset.StandardCharsets.UTF_8)) {
      hex.append(String.format(upper ? "%02X" : "%02x", b));
    }
    return hex.toString();
  }
}
