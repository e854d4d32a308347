package dev.vfio.migration.vfio.device;

/** What is known of a device's time before it was opened here. */
public enum Continuity {
  /** Whoever serves the device keeps its state, whether it is open or not. */
  UNKNOWN,
  /** Somebody has held it open all the time: nothing but a reset on purpose can have reset it. */
  KEPT,
  /**
   * Nobody held it: its driver may have reset it at the last close, or not. What it holds is
   * nobody's that is known here, whatever state it says that it is in.
   */
  FRESH
}
