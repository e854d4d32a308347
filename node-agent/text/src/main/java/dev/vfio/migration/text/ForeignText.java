package dev.vfio.migration.text;

import java.util.HexFormat;

/**
 * Text that may hold what somebody else wrote (a workload, a driver, a certificate, a file name,
 * another's object), as one line that can be read: what breaks a line, hides, or turns the
 * direction of writing is written as an escape ({@code \n}, <code>&#92;u001b</code>, <code>
 * &#92;u202e</code>), and what is longer than it may be is cut in its middle, with its length.
 *
 * <p>What has been made one line stays as it is when it is made one line again, so that text which
 * passes several such places is escaped once.
 */
public final class ForeignText {
  /**
   * Bytes of UTF-8 of a whole message. As a gRPC status three times as many at most, which fits
   * into the 8 KiB of headers that a client accepts.
   */
  public static final int MAX_MESSAGE_BYTES = 2560;

  /**
   * Bytes of UTF-8 of a whole message in a status. Far below what the CRD allows a condition (32768
   * characters), and all of them together far below what the API server stores of one object.
   */
  public static final int MAX_STATUS_BYTES = 8 << 10;

  /** Bytes of UTF-8 of what is quoted within a message. */
  public static final int MAX_QUOTE_BYTES = 500;

  private static final HexFormat HEX = HexFormat.of();

  private ForeignText() {}

  /** {@code text} as one line. */
  public static String line(String text) {
    StringBuilder line = null;
    int next;
    for (int at = 0; at < text.length(); at = next) {
      int character = text.codePointAt(at);
      next = at + Character.charCount(character);
      boolean plain = isPlain(character);
      if (!plain && line == null) {
        line = new StringBuilder(text.length() + 16).append(text, 0, at);
      }
      if (line != null) {
        line.append(plain ? text.substring(at, next) : escaped(character));
      }
    }
    return line == null ? text : line.toString();
  }

  /**
   * {@code text} as one line of at most {@code maxBytes} bytes of UTF-8. What is cut keeps its
   * beginning and its end: an error says there what it is and what to do.
   *
   * @param maxBytes 80 or more
   */
  public static String line(String text, int maxBytes) {
    String line = line(ends(text, maxBytes));
    // Three bytes a char at most: most texts need not be measured.
    if (line.length() <= maxBytes / 3 || bytesOf(line) <= maxBytes) {
      return line;
    }
    String mark = " ... (cut, " + text.length() + " characters) ... ";
    int tailBytes = (maxBytes - mark.length()) / 3;
    int start = 0;
    for (int left = maxBytes - mark.length() - tailBytes; ; ) {
      left -= bytesOf(line.codePointAt(start));
      if (left < 0) {
        break;
      }
      start = line.offsetByCodePoints(start, 1);
    }
    int end = line.length();
    for (int left = tailBytes; ; ) {
      left -= bytesOf(line.codePointBefore(end));
      if (left < 0) {
        break;
      }
      end = line.offsetByCodePoints(end, -1);
    }
    return line.substring(0, start) + mark + line.substring(end);
  }

  /**
   * What can be left of {@code text}: no character takes less than a byte, so the middle of a much
   * longer one is dropped before anything is escaped, which costs far more than copying.
   */
  private static String ends(String text, int maxBytes) {
    if (text.length() <= 4 * maxBytes) {
      return text;
    }
    return text.substring(0, 2 * maxBytes) + text.substring(text.length() - 2 * maxBytes);
  }

  /** {@code text} as a message of at most {@link #MAX_MESSAGE_BYTES} bytes. */
  public static String message(String text) {
    return line(text, MAX_MESSAGE_BYTES);
  }

  /** {@code text} in a status, of at most {@link #MAX_STATUS_BYTES} bytes; null stays null. */
  public static String inStatus(String text) {
    return text == null ? null : line(text, MAX_STATUS_BYTES);
  }

  /** {@code text} as part of a message, of at most {@link #MAX_QUOTE_BYTES} bytes. */
  public static String quote(String text) {
    return line(text, MAX_QUOTE_BYTES);
  }

  /** Whether {@code text} is one line as it is. */
  public static boolean isPlain(String text) {
    return text.codePoints().allMatch(ForeignText::isPlain);
  }

  private static boolean isPlain(int character) {
    return switch (Character.getType(character)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED ->
          false;
      default -> true;
    };
  }

  private static String escaped(int character) {
    return switch (character) {
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      default ->
          character < 0x10000
              ? "\\u" + HEX.toHexDigits((char) character)
              : "\\U" + HEX.toHexDigits(character);
    };
  }

  private static int bytesOf(String text) {
    return text.codePoints().map(ForeignText::bytesOf).sum();
  }

  private static int bytesOf(int character) {
    return character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  }
}
