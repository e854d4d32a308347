package dev.vfio.migration.sandbox.devices.content;

/**
 * The one bit mixer behind every deterministic choice of the simulated device: a bijection on
 * 64-bit words with good avalanche (the finalizer of splitmix64). Stateless.
 */
public final class Mix {
  private static final long FIRST = 0xBF58476D1CE4E5B9L;
  private static final long SECOND = 0x94D049BB133111EBL;
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private Mix() {}

  public static long of(long value) {
    long mixed = value + GOLDEN;
    mixed = (mixed ^ (mixed >>> 30)) * FIRST;
    mixed = (mixed ^ (mixed >>> 27)) * SECOND;
    return mixed ^ (mixed >>> 31);
  }

  public static long of(long first, long second) {
    return of(of(first) ^ second);
  }

  public static long of(long first, long second, long third) {
    return of(of(first, second) ^ third);
  }
}
