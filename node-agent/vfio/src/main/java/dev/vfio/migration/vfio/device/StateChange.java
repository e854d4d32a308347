package dev.vfio.migration.vfio.device;

/** One change of a device's state, ready to be made. */
@FunctionalInterface
public interface StateChange {
  void make() throws DeviceException;
}
