package dev.vfio.migration.vfio.device;

/**
 * What a device says is still to be migrated, in bytes. An estimate that may rise; never an
 * integrity check.
 *
 * @param precopyOnly must move while the device runs or is stopped, before the destination starts
 * @param compatible may move at any time
 * @param postcopyOnly must move after the source stopped
 */
public record PendingBytes(long precopyOnly, long compatible, long postcopyOnly) {
  public static final PendingBytes NOTHING = new PendingBytes(0, 0, 0);

  /** The end is not reached yet; the device does not say how much is left. */
  public static final PendingBytes SOMETHING = new PendingBytes(0, 0, 1);

  /**
   * The whole amount, saturating at {@link Long#MAX_VALUE}; each class is an unsigned 64-bit number
   * on the wire.
   */
  public long total() {
    return saturatingAdd(saturatingAdd(precopyOnly, compatible), postcopyOnly);
  }

  /**
   * Refuses a threshold below 0.
   *
   * @throws IllegalArgumentException for a negative number of bytes
   */
  public static void requireThreshold(long thresholdBytes) {
    if (thresholdBytes < 0) {
      throw new IllegalArgumentException("a threshold of " + thresholdBytes + " bytes");
    }
  }

  private static long saturatingAdd(long a, long b) {
    if (a < 0 || b < 0) {
      return Long.MAX_VALUE;
    }
    long sum = a + b;
    return sum < 0 ? Long.MAX_VALUE : sum;
  }
}
