package dev.vfio.migration.sandbox.cluster.options;

import dev.vfio.migration.sandbox.devices.Quantities;

/** Sizes and rates as they are written on the command line: {@code 64MiB}, {@code 8MiB/s}. */
public final class SizeOption {
  private SizeOption() {}

  /**
   * Bytes, or bytes a second.
   *
   * @param option that the text was given for
   * @throws WrongOptionException where it is no size, or is less than {@code min} or more than
   *     {@code max}
   */
  public static long between(String option, String text, long min, long max)
      throws WrongOptionException {
    long bytes;
    try {
      bytes = Quantities.size(text.endsWith("/s") ? text.substring(0, text.length() - 2) : text);
    } catch (IllegalArgumentException e) {
      throw new WrongOptionException(option + ": " + e.getMessage());
    }
    if (bytes < min || bytes > max) {
      throw new WrongOptionException(
          "%s: %s is out of range, %d to %d bytes".formatted(option, text, min, max));
    }
    return bytes;
  }
}
