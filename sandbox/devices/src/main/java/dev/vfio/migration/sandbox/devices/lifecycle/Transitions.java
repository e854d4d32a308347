package dev.vfio.migration.sandbox.devices.lifecycle;

import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * Which state may be asked for in which state.
 *
 * <pre>
 *  NONE -> RUNNING -> SETUP -> (PRECOPY ->) STOPNCOPY -> SAVE_COMPLETED
 *  NONE or RUNNING -> RESUME -> RESUME_COMPLETED -> RUNNING
 *  any -> FAILED;  SETUP, PRECOPY, STOPNCOPY -> CANCELLED;  FAILED, CANCELLED -> RUNNING
 * </pre>
 *
 * <p>The last arrow is for a source only: the device also asks that the device still holds a whole
 * state, so that neither a device that gave its state away nor a half-loaded one ever runs. Asking
 * for the state the device is in is refused too, except FAILED. NONE is reached by a reset.
 */
public final class Transitions {
  private static final Map<DeviceState, Set<DeviceState>> ALLOWED =
      Map.of(
          DeviceState.NONE,
          EnumSet.of(DeviceState.RUNNING, DeviceState.RESUME, DeviceState.FAILED),
          DeviceState.RUNNING,
          EnumSet.of(DeviceState.SETUP, DeviceState.RESUME, DeviceState.FAILED),
          DeviceState.SETUP,
          EnumSet.of(
              DeviceState.PRECOPY,
              DeviceState.STOPNCOPY,
              DeviceState.FAILED,
              DeviceState.CANCELLED),
          DeviceState.PRECOPY,
          EnumSet.of(DeviceState.STOPNCOPY, DeviceState.FAILED, DeviceState.CANCELLED),
          DeviceState.STOPNCOPY,
          EnumSet.of(DeviceState.SAVE_COMPLETED, DeviceState.FAILED, DeviceState.CANCELLED),
          DeviceState.SAVE_COMPLETED,
          EnumSet.of(DeviceState.FAILED),
          DeviceState.RESUME,
          EnumSet.of(DeviceState.RESUME_COMPLETED, DeviceState.FAILED),
          DeviceState.RESUME_COMPLETED,
          EnumSet.of(DeviceState.RUNNING, DeviceState.FAILED),
          DeviceState.FAILED,
          EnumSet.of(DeviceState.RUNNING, DeviceState.FAILED),
          DeviceState.CANCELLED,
          EnumSet.of(DeviceState.RUNNING, DeviceState.FAILED));

  private Transitions() {}

  /** Whether the text has an arrow between the two. */
  public static boolean allowed(DeviceState from, DeviceState to) {
    return ALLOWED.get(from).contains(to);
  }
}
