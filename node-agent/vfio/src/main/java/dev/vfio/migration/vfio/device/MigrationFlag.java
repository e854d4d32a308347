package dev.vfio.migration.vfio.device;

/**
 * What a device's {@code VFIO_DEVICE_FEATURE_MIGRATION} offers.
 *
 * <p>Source: {@code VFIO_MIGRATION_*} in {@code linux/vfio.h}.
 */
public enum MigrationFlag {
  /** The state can be read while the device stands still. */
  STOP_COPY(1),
  /** Devices can be kept from disturbing each other before they stand still. */
  P2P(2),
  /** State can be read while the device runs. */
  PRE_COPY(4);

  private final long bit;

  MigrationFlag(long bit) {
    this.bit = bit;
  }

  /** The bit in the feature's 64-bit {@code flags}. */
  public long bit() {
    return bit;
  }
}
