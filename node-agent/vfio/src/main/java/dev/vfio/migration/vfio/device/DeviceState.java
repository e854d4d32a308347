package dev.vfio.migration.vfio.device;

/**
 * The ten device states of the 2018 migration interface. They are this product's own vocabulary:
 * devices that speak a later interface are mapped onto them.
 *
 * <p>Source: {@code VFIO_DEVICE_STATE_*} in "VFIO KABI for migration interface", November 2018.
 */
public enum DeviceState {
  NONE(0, "initialized, not yet running"),
  RUNNING(1, "running"),
  SETUP(2, "prepared for migration, still running"),
  PRECOPY(3, "state is copied while it runs"),
  STOPNCOPY(4, "stopped, the rest is copied"),
  SAVE_COMPLETED(5, "everything was copied, the driver has cleaned up"),
  RESUME(6, "taking in state, not running"),
  RESUME_COMPLETED(7, "all state was taken in, not yet running"),
  FAILED(8, "the migration failed"),
  CANCELLED(9, "the migration was cancelled");

  private final int wireValue;
  private final String description;

  DeviceState(int wireValue, String description) {
    this.wireValue = wireValue;
    this.description = description;
  }

  /** The value of {@code device_state} in the 2018 structure, 0 to 9. */
  public int wireValue() {
    return wireValue;
  }

  /** A few words for people. */
  public String description() {
    return description;
  }

  /**
   * Whether the device does its work in this state: at no time may both ends be in such a state.
   */
  public boolean running() {
    return this == RUNNING || this == SETUP || this == PRECOPY;
  }

  /**
   * Whether a device that nobody moves and nobody uses was left in this state: a reset would have
   * led to NONE or RUNNING, so it may still hold what a workload had in it.
   */
  public boolean leftOver() {
    return this != NONE && this != RUNNING;
  }

  /**
   * The state with that wire value.
   *
   * @throws IllegalArgumentException where there is none
   */
  public static DeviceState ofWireValue(int wireValue) {
    for (DeviceState state : values()) {
      if (state.wireValue == wireValue) {
        return state;
      }
    }
    throw new IllegalArgumentException(
        "no device state has the value " + wireValue + "; 0 to 9 are defined");
  }
}
