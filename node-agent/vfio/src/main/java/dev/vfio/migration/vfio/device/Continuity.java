package dev.vfio.migration.vfio.device;

/** Who had a device open before this agent opened it. */
public enum Continuity {
  /** Unknown: the server of the device keeps its state, open or not. */
  UNKNOWN,
  /** A process has held it open all the time: only a reset on purpose can have reset it. */
  KEPT,
  /**
   * Nobody held it: its driver may have reset it at the last close, or not. Its state belongs to
   * nobody that is known here, whatever state it reports.
   */
  FRESH
}
