package dev.vfio.migration.sandbox.devices.workload;

import java.util.Locale;

/** What the workload does with its device. */
public enum WorkloadState {
  /** The workload steps. */
  RUNNING,
  /** The workload stands still and will go on here. */
  PAUSED,
  /** The workload has no device yet. */
  WAITING,
  /** The workload has given its device away and must never touch it again. */
  RELEASED;

  /** The state as the workload protocol and the log write it. */
  public String notation() {
    return name().toLowerCase(Locale.ROOT);
  }
}
