package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.device.UndefinedStateException;

/**
 * What the three defined bits of the v1 {@code device_state} say. The other 29 are read before each
 * write and kept.
 */
enum RegionV1State {
  STOPPED(0, "stop (000)"),
  RUNNING(RegionV1Layout.STATE_RUNNING, "running (001)"),
  STOP_AND_COPY(RegionV1Layout.STATE_SAVING, "stop-and-copy (010)"),
  PRE_COPY(RegionV1Layout.STATE_RUNNING | RegionV1Layout.STATE_SAVING, "pre-copy (011)"),
  RESUMING(RegionV1Layout.STATE_RESUMING, "resuming (100)"),
  ERROR(RegionV1Layout.STATE_SAVING | RegionV1Layout.STATE_RESUMING, "error (110)");

  private final int bits;
  private final String words;

  RegionV1State(int bits, String words) {
    this.bits = bits;
    this.words = words;
  }

  /** Name and bits, for messages. */
  String words() {
    return words;
  }

  /**
   * @param deviceState the whole register
   */
  static RegionV1State of(int deviceState) throws UndefinedStateException {
    for (RegionV1State state : values()) {
      if (state.bits == (deviceState & RegionV1Layout.STATE_MASK)) {
        return state;
      }
    }
    throw new UndefinedStateException(
        "the device_state 0x"
            + Integer.toHexString(deviceState)
            + ", which the interface does not allow");
  }

  /** The register with these three bits and all others as they are. */
  int in(int deviceState) {
    return (deviceState & ~RegionV1Layout.STATE_MASK) | bits;
  }
}
