package dev.vfio.migration.vfio.device;

import java.util.EnumSet;
import java.util.Set;

/**
 * Which change of state the 2018 interface allows.
 *
 * <pre>
 * NONE -> RUNNING -> SETUP -> (PRECOPY ->) STOPNCOPY -> SAVE_COMPLETED
 * NONE or RUNNING -> RESUME -> RESUME_COMPLETED -> RUNNING
 * any -> FAILED          SETUP, PRECOPY, STOPNCOPY -> CANCELLED
 * FAILED or CANCELLED -> RUNNING, at the source
 * </pre>
 */
public final class TransitionRules {

  private TransitionRules() {}

  public static boolean allows(DeviceState from, DeviceState to) {
    return allowedFrom(from).contains(to);
  }

  /** The states that may be asked for in that state, in the order of the interface. */
  public static Set<DeviceState> allowedFrom(DeviceState from) {
    return switch (from) {
      case NONE -> EnumSet.of(DeviceState.RUNNING, DeviceState.RESUME, DeviceState.FAILED);
      case RUNNING -> EnumSet.of(DeviceState.SETUP, DeviceState.RESUME, DeviceState.FAILED);
      case SETUP ->
          EnumSet.of(
              DeviceState.PRECOPY,
              DeviceState.STOPNCOPY,
              DeviceState.CANCELLED,
              DeviceState.FAILED);
      case PRECOPY -> EnumSet.of(DeviceState.STOPNCOPY, DeviceState.CANCELLED, DeviceState.FAILED);
      case STOPNCOPY ->
          EnumSet.of(DeviceState.SAVE_COMPLETED, DeviceState.CANCELLED, DeviceState.FAILED);
      case SAVE_COMPLETED -> EnumSet.of(DeviceState.FAILED);
      case RESUME -> EnumSet.of(DeviceState.RESUME_COMPLETED, DeviceState.FAILED);
      case RESUME_COMPLETED -> EnumSet.of(DeviceState.RUNNING, DeviceState.FAILED);
      case FAILED, CANCELLED -> EnumSet.of(DeviceState.RUNNING, DeviceState.FAILED);
    };
  }
}
