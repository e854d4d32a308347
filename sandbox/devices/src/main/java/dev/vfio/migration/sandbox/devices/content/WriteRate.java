package dev.vfio.migration.sandbox.devices.content;

/**
 * How many pages have been written by a given step: {@code fromWrites + (step - fromStep) *
 * perStep}, with {@code perStep} as a fixed-point number, so that any rate is met on average and
 * the count for a step is the same on every machine. Immutable.
 *
 * @param fromStep the step at which this pace began
 * @param fromWrites pages written up to that step, under earlier paces
 * @param perStep pages a step, times 2^20
 */
public record WriteRate(long fromStep, long fromWrites, long perStep) {
  private static final int FRACTION_BITS = 20;

  /** A pace from the very start. */
  public static WriteRate initial(long perStep) {
    return new WriteRate(0, 0, perStep);
  }

  /**
   * The fixed-point pages a step that meet a rate. A rate above zero never becomes zero.
   *
   * @param bytesPerSecond 0 and up
   * @param stepNanoseconds the time between two steps
   * @param pageSize bytes
   */
  public static long perStep(long bytesPerSecond, long stepNanoseconds, int pageSize) {
    if (bytesPerSecond == 0) {
      return 0;
    }
    double pages = (double) bytesPerSecond * stepNanoseconds / 1e9 / pageSize;
    return Math.max(1, Math.round(pages * (1 << FRACTION_BITS)));
  }

  /** Pages written when {@code step} steps are done; {@code step} is at least {@link #fromStep}. */
  public long writesAfter(long step) {
    return fromWrites + (Math.multiplyExact(step - fromStep, perStep) >>> FRACTION_BITS);
  }

  /** The same history up to {@code step}, another pace from there on. */
  public WriteRate changedAt(long step, long newPerStep) {
    return new WriteRate(step, writesAfter(step), newPerStep);
  }
}
