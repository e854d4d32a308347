package dev.vfio.migration.vfio.device;

/**
 * What a device says of itself when it is only looked at.
 *
 * @param state null where it does not tell, or where what it tells is settled only by the {@link
 *     MigrationEnd} it is opened for
 */
public record DeviceLook(DeviceDescription description, DeviceState state) {}
