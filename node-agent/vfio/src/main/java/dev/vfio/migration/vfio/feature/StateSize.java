package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.StateFile.PrecopyInfo;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How much a device will still hand out, by {@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE} and {@code
 * VFIO_MIG_GET_PRECOPY_INFO}.
 */
final class StateSize {
  /**
   * Taken for the size of a device that does not tell it: so much that nobody believes it to fit
   * into a downtime limit.
   */
  static final long NOT_TOLD = 100L << 30;

  private final FeatureAccess access;
  private final ByteBuffer payload =
      ByteBuffer.allocateDirect(PayloadLayout.DATA_SIZE_SIZE).order(ByteOrder.nativeOrder());

  StateSize(FeatureAccess access) {
    this.access = access;
  }

  /** Nothing can be read yet: all of it falls into the stop window. */
  PendingBytes beforeReading() throws AccessException {
    return new PendingBytes(0, 0, stopCopyBytes());
  }

  /** What the stop window carries includes what was not read before. */
  PendingBytes whileRunning(PrecopyInfo info) throws AccessException {
    PendingBytes now = new PendingBytes(info.initialBytes(), info.dirtyBytes(), 0);
    long whileStopped = stopCopyBytes();
    boolean more = whileStopped < 0 || whileStopped > now.total();
    return new PendingBytes(
        now.precopyOnly(), now.compatible(), more ? whileStopped - now.total() : 0);
  }

  /** At least one byte: only the end of the stream says that nothing is left. */
  PendingBytes beforeTheEnd() throws AccessException {
    long left = stopCopyBytes();
    return new PendingBytes(0, 0, left == 0 ? 1 : left);
  }

  private long stopCopyBytes() throws AccessException {
    payload.clear().putLong(PayloadLayout.DATA_SIZE_STOP_COPY_LENGTH, 0);
    try {
      access.get(PayloadLayout.MIG_DATA_SIZE, payload);
      return payload.getLong(PayloadLayout.DATA_SIZE_STOP_COPY_LENGTH);
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw failure;
      }
      return NOT_TOLD;
    }
  }
}
