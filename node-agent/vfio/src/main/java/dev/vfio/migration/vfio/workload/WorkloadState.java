package dev.vfio.migration.vfio.workload;

/** What a workload does with its device. */
public enum WorkloadState {
  /** Uses the device and its windows. */
  RUNNING,
  /** Stands still for a migration. */
  PAUSED,
  /** Destination: has no device yet. */
  WAITING,
  /** Source, after the handover: it has closed the device. */
  RELEASED
}
