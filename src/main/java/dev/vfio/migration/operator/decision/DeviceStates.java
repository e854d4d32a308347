package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;

/** What a device's state means for its next user. */
public final class DeviceStates {
  private DeviceStates() {}

  /**
   * Whether a migration left a device in this state, if no migration has it now: a device that was
   * reset is in NONE or RUNNING.
   */
  public static boolean leftOver(DeviceState state) {
    return switch (state) {
      case SETUP, PRECOPY, STOPNCOPY, SAVE_COMPLETED, RESUME, RESUME_COMPLETED, FAILED, CANCELLED ->
          true;
      case NONE, RUNNING, DEVICE_STATE_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }
}
