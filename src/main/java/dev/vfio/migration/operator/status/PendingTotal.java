package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.PendingBytes;
import dev.vfio.migration.contract.v1.Progress;

/** Everything that is still to be sent: device state of all three classes, and memory. */
public final class PendingTotal {
  private PendingTotal() {}

  /** The sum, in bytes. A device may report nonsense; a sum of nonsense does not turn negative. */
  public static long of(Progress progress) {
    return sum(ofDevice(progress), progress.getMemoryPending());
  }

  /** The device's share, in bytes. */
  public static long ofDevice(Progress progress) {
    PendingBytes bytes = progress.getPending();
    return sum(sum(bytes.getPrecopyOnly(), bytes.getCompatible()), bytes.getPostcopyOnly());
  }

  /** Both are unsigned on the wire: a value that looks negative here is more than 8 EiB. */
  private static long sum(long one, long other) {
    if (one < 0 || other < 0) {
      return Long.MAX_VALUE;
    }
    long sum = one + other;
    return sum < 0 ? Long.MAX_VALUE : sum;
  }
}
