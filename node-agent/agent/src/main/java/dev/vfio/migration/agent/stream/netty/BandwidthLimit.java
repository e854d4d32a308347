package dev.vfio.migration.agent.stream.netty;

import java.util.function.LongSupplier;

/**
 * A token bucket over all connections of one migration. Its balance may be negative: a chunk may go
 * out as soon as the balance is positive, so that a chunk larger than the bucket is sent, too.
 * Unused allowance is kept for a tenth of a second at most. Guarded by its owner's lock.
 */
final class BandwidthLimit {
  private static final double NANOS_PER_SECOND = 1e9;
  private static final double KEPT_SECONDS = 0.1;

  private final long bytesPerSecond;
  private final LongSupplier monotonicNanos;
  private boolean lifted;
  private double allowance;
  private long countedAt;

  /**
   * @param bytesPerSecond payload bytes per second; 0 for no limit
   * @param monotonicNanos a clock that only goes forward, in nanoseconds
   */
  BandwidthLimit(long bytesPerSecond, LongSupplier monotonicNanos) {
    if (bytesPerSecond < 0) {
      throw new IllegalArgumentException("a bandwidth limit of " + bytesPerSecond + " bytes/s");
    }
    this.bytesPerSecond = bytesPerSecond;
    this.monotonicNanos = monotonicNanos;
    this.lifted = bytesPerSecond == 0;
    this.countedAt = monotonicNanos.getAsLong();
  }

  /** Nanoseconds until the next chunk may go out; 0 for now. */
  long delayNanos() {
    if (lifted) {
      return 0;
    }
    long now = monotonicNanos.getAsLong();
    double earned = (now - countedAt) / NANOS_PER_SECOND * bytesPerSecond;
    allowance = Math.min(allowance + earned, KEPT_SECONDS * bytesPerSecond);
    countedAt = now;
    return allowance >= 0 ? 0 : (long) Math.ceil(-allowance / bytesPerSecond * NANOS_PER_SECOND);
  }

  /** Says that so many bytes go out now. */
  void spend(long bytes) {
    if (!lifted) {
      allowance -= bytes;
    }
  }

  /** No limit from here on. */
  void lift() {
    lifted = true;
  }
}
