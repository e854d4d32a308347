package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.rounds.Labels;

/** Where in a migration between guests the fault happens. */
enum ChaosPoint implements Labels {
  /** Copies while the workload works; the switchover waits for a person. */
  PRE_COPY("PreCopy"),
  /** The workload is frozen, the source's device on its way to stop. */
  PAUSING("SwitchingOver-pausing"),
  /** The destination's device is on its way to its end of loading. */
  LOADING("SwitchingOver-loading"),
  /** Loaded and transferred to the waiting workload; the operator stands still. */
  LOADED("SwitchingOver-loaded"),
  /** The destination's device is on its way to RUNNING. */
  COMMITTED("Committed"),
  /** The destination's workload works; the source's device is on its way to its end. */
  CLEANING_UP("Succeeded-cleaning-up"),
  /** Cancelled while it copied; the source's device is on its way back. */
  ROLLING_BACK("RollingBack");

  private final String label;

  ChaosPoint(String label) {
    this.label = label;
  }

  @Override
  public String label() {
    return label;
  }

  /** Whether it is held by a device that takes its time, which only our own module does. */
  boolean needsSlowDevice() {
    return switch (this) {
      case PRE_COPY, LOADED -> false;
      case PAUSING, LOADING, COMMITTED, CLEANING_UP, ROLLING_BACK -> true;
    };
  }
}
