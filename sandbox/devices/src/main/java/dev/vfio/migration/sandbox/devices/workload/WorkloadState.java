package dev.vfio.migration.sandbox.devices.workload;

import java.util.Locale;

/** What the workload does with its device. */
public enum WorkloadState {
  /** It steps. */
  RUNNING,
  /** It stands still and will go on here. */
  PAUSED,
  /** It has no device yet. */
  WAITING,
  /** It has given its device away and must never touch it again. */
  RELEASED;

  /** As the workload protocol and the log write it. */
  public String notation() {
    return name().toLowerCase(Locale.ROOT);
  }
}
