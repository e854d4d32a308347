package dev.vfio.migration.agent.machine;

/**
 * Bytes per second over the last second, or since the start where that is shorter.
 *
 * @param sinceNanos begin of the window
 * @param sinceBytes bytes at its begin
 * @param bytesPerSecond of the window before
 */
record RateWindow(long sinceNanos, long sinceBytes, long bytesPerSecond) {
  private static final long WINDOW_NANOS = 1_000_000_000L;
  private static final long MIN_NANOS = 50_000_000L;

  static RateWindow startingAt(long now) {
    return new RateWindow(now, 0, -1);
  }

  /** Takes in the count of bytes at that moment. */
  RateWindow at(long now, long bytes) {
    return now - sinceNanos < WINDOW_NANOS ? this : new RateWindow(now, bytes, rate(now, bytes));
  }

  /** What to report at that moment. */
  long report(long now, long bytes) {
    if (bytesPerSecond >= 0) {
      return bytesPerSecond;
    }
    return now - sinceNanos < MIN_NANOS ? 0 : rate(now, bytes);
  }

  private long rate(long now, long bytes) {
    return perSecond(bytes - sinceBytes, now - sinceNanos);
  }

  static long perSecond(long bytes, long nanos) {
    return nanos <= 0 ? 0 : (long) (bytes * 1e9 / nanos);
  }
}
