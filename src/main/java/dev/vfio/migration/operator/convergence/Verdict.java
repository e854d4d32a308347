package dev.vfio.migration.operator.convergence;

import java.time.Duration;
import java.util.Optional;

/**
 * What the rule says about a copy.
 *
 * @param outcome what follows
 * @param estimatedDowntime how long the pause would be if it began now; empty while no rate is
 *     known, or what is pending
 */
public record Verdict(Outcome outcome, Optional<Duration> estimatedDowntime) {

  /** What follows from a verdict. */
  public enum Outcome {
    /** The copy is not good enough yet and still getting better. */
    COPYING,
    /** The pause would be no longer than the downtime limit. */
    WITHIN_DOWNTIME_LIMIT,
    /** No more than the threshold is pending. */
    BELOW_THRESHOLD,
    /** The workload changes its state as fast as it is copied: waiting does not help. */
    STALLED,
    /** Copying went on for as long as it may. */
    TOO_LONG;

    /** True when the workload may be paused within the limits. */
    public boolean converged() {
      return this == WITHIN_DOWNTIME_LIMIT || this == BELOW_THRESHOLD;
    }
  }
}
