package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;

/**
 * What a session knows of its device.
 *
 * @param state last known, null where not known
 * @param open whether the session holds the device open
 * @param precopy whether the device can be read while it runs; false at a destination, which does
 *     not ask
 * @param touched whether the device may have been moved from where it was
 */
record DeviceStatus(DeviceState state, boolean open, boolean precopy, boolean touched) {
  static final DeviceStatus UNKNOWN = new DeviceStatus(null, false, false, false);

  DeviceStatus in(DeviceState newState) {
    return new DeviceStatus(newState, open, precopy, touched);
  }

  DeviceStatus opened(DeviceState found, boolean canPrecopy) {
    return new DeviceStatus(found, true, canPrecopy, touched);
  }

  DeviceStatus closed() {
    return new DeviceStatus(state, false, precopy, touched);
  }

  DeviceStatus touched(boolean value) {
    return new DeviceStatus(state, open, precopy, value);
  }
}
