package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.rounds.Labels;

/** Where in a migration the fault happens: a phase of its status, or a point inside of one. */
enum Point implements Labels {
  /** Another migration of the same devices is first. */
  PENDING("Pending"),
  /** The destination's agent does not answer yet. */
  VALIDATING("Validating"),
  /** The source's device is on its way to SETUP. */
  PREPARING("Preparing"),
  /** Copies; the switchover waits for a person. */
  PRE_COPY("PreCopy"),
  /** The workload is paused, the source's device on its way to STOPNCOPY. */
  PAUSING("SwitchingOver-pausing"),
  /** Everything was sent; the destination's device is on its way to RESUME_COMPLETED. */
  LOADING("SwitchingOver-loading"),
  /** Both agents wait for the decision; the operator stands still. */
  LOADED("SwitchingOver-loaded"),
  /** The destination's device is on its way to RUNNING. */
  COMMITTED("Committed"),
  /** The destination runs; the source's device is on its way to SAVE_COMPLETED. */
  CLEANING_UP("Succeeded-cleaning-up"),
  /** Cancelled while it copied; the source's device is on its way back. */
  ROLLING_BACK("RollingBack"),
  /** Committed, and the destination's device refuses RUNNING as long as the point lasts. */
  ACTION_REQUIRED("ActionRequired");

  private final String label;

  Point(String label) {
    this.label = label;
  }

  @Override
  public String label() {
    return label;
  }
}
