package dev.vfio.migration.sandbox.devices.device;

/** What the device knows of the workload that uses it. Called from any thread. */
public interface WorkloadSide {
  /** Whether the workload counts on the device: it runs on it, or is paused and will go on. */
  boolean holdsDevice();

  /** The device has changed its state; called without the device's lock. */
  void deviceChanged();

  /** The device has been reset and holds nothing any more; called without the device's lock. */
  void deviceReset();
}
