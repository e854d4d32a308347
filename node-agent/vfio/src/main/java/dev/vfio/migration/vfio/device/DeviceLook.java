package dev.vfio.migration.vfio.device;

/**
 * What a device says of itself when it is only looked at.
 *
 * @param state null where the device does not report one, or where what it reports can be read only
 *     once the {@link MigrationEnd} it is opened for is known
 * @param stopped whether it stands still in a way that only the end settles. A device that nobody
 *     holds was left so: after a reset it would run
 */
public record DeviceLook(DeviceDescription description, DeviceState state, boolean stopped) {

  /** A device whose state needs no settling. */
  public DeviceLook(DeviceDescription description, DeviceState state) {
    this(description, state, false);
  }
}
