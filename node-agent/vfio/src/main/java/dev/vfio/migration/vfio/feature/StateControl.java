package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;

/** {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE}. */
final class StateControl {
  /** The answer has no data file. */
  static final int NO_FILE = -1;

  private final FeatureAccess access;
  private final ByteBuffer payload = NativeMemory.allocate(PayloadLayout.STATE_SIZE);

  StateControl(FeatureAccess access) {
    this.access = access;
  }

  /** The number of the device's state, which may be one of a later kernel. */
  int get() throws AccessException {
    fill(0);
    access.get(PayloadLayout.MIG_DEVICE_STATE, payload);
    return payload.getInt(PayloadLayout.STATE_DEVICE_STATE);
  }

  /**
   * Asks for a state.
   *
   * @return the descriptor of a new data file, or {@link #NO_FILE}
   */
  int set(FeatureState state) throws AccessException {
    fill(state.number());
    access.set(PayloadLayout.MIG_DEVICE_STATE, payload);
    return payload.getInt(PayloadLayout.STATE_DATA_FD);
  }

  private void fill(int state) {
    payload
        .clear()
        .putInt(PayloadLayout.STATE_DEVICE_STATE, state)
        .putInt(PayloadLayout.STATE_DATA_FD, NO_FILE);
  }
}
