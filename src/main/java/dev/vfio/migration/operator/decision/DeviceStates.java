package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;

/** What a device's state means for whoever wants to use it. */
public final class DeviceStates {
  private DeviceStates() {}

  /**
   * Whether a device that nobody migrates was left in this state: one that was reset is idle or
   * runs.
   */
  public static boolean leftOver(DeviceState state) {
    return switch (state) {
      case SETUP, PRECOPY, STOPNCOPY, SAVE_COMPLETED, RESUME, RESUME_COMPLETED, FAILED, CANCELLED ->
          true;
      case NONE, RUNNING, DEVICE_STATE_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }
}
