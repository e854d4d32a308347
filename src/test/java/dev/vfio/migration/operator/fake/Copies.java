package dev.vfio.migration.operator.fake;

import dev.vfio.migration.contract.v1.PendingBytes;
import dev.vfio.migration.contract.v1.Progress;

/** Reports of a copy. */
public final class Copies {
  private static final long MIB = 1L << 20;

  private Copies() {}

  /** Nothing sent yet. */
  public static Progress begun() {
    return of(0, 256 * MIB, 0);
  }

  /** Good enough for the default limits. */
  public static Progress converged() {
    return of(1, 10 * MIB, 100 * MIB);
  }

  /** Far from good enough. */
  public static Progress behind(int round) {
    return of(round, 200 * MIB, 50 * MIB);
  }

  private static Progress of(int rounds, long pending, long rate) {
    return Progress.newBuilder()
        .setPending(
            PendingBytes.newBuilder().setPrecopyOnly(pending / 2).setCompatible(pending / 4))
        .setMemoryPending(pending / 4)
        .setRounds(rounds)
        .setBytesPerSecond(rate)
        .setTransferredBytes(rounds * 256 * MIB)
        .setDirtyPages(rounds * 10L)
        .build();
  }
}
