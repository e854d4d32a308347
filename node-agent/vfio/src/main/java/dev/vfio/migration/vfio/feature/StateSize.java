package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.StateFile.PrecopyInfo;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;

/**
 * How much a device will still hand out, by {@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE} and {@code
 * VFIO_MIG_GET_PRECOPY_INFO}.
 */
final class StateSize {
  /** The assumed size of a device that does not report one: too large for any downtime limit. */
  static final long NOT_TOLD = 100L << 30;

  private final FeatureAccess access;
  private final ByteBuffer payload = NativeMemory.allocate(PayloadLayout.DATA_SIZE_SIZE);

  StateSize(FeatureAccess access) {
    this.access = access;
  }

  /** Before anything can be read, all state falls into the stop window. */
  PendingBytes beforeReading() throws AccessException {
    return new PendingBytes(0, 0, stopCopyBytes());
  }

  /** The size for the stop window includes what was not read before. */
  PendingBytes whileRunning(PrecopyInfo info) throws AccessException {
    PendingBytes now = new PendingBytes(info.initialBytes(), info.dirtyBytes(), 0);
    long whileStopped = stopCopyBytes();
    long whole = whileStopped < 0 ? Long.MAX_VALUE : whileStopped;
    return new PendingBytes(now.precopyOnly(), now.compatible(), Math.max(0, whole - now.total()));
  }

  /**
   * At least {@link PendingBytes#SOMETHING}: only the end of the stream says that nothing is left.
   *
   * @param read bytes since the device stopped; drivers go on reporting the whole size
   */
  PendingBytes beforeTheEnd(long read) throws AccessException {
    long reported = stopCopyBytes();
    long left = reported < 0 ? reported : reported - read;
    return reported >= 0 && left <= 0 ? PendingBytes.SOMETHING : new PendingBytes(0, 0, left);
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
