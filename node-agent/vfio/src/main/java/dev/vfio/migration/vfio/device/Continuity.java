package dev.vfio.migration.vfio.device;

/** What is known of a device's time before it was opened here. */
public enum Continuity {
  /** Whoever serves the device keeps its state, whether it is open or not. */
  UNKNOWN,
  /** Somebody has held it open all the time: nothing but a reset on purpose can have reset it. */
  KEPT,
  /** Nobody held it: its last close has reset it, or should have. */
  FRESH
}
