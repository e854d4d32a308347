package dev.vfio.migration.operator.convergence;

import java.time.Instant;

/**
 * One look at a copy that is going on.
 *
 * @param at when it was looked at
 * @param pendingBytes what is still to be sent: device state of all three classes and memory; an
 *     estimate that may rise
 * @param bytesPerSecond payload that goes over now; 0 where nothing was measured yet
 * @param rounds completed rounds
 * @param exhausted the device has nothing more that can be sent before it stops
 */
public record Sample(
    Instant at, long pendingBytes, long bytesPerSecond, long rounds, boolean exhausted) {

  /**
   * True once everything was looked at: a copy whose first round is not over has not asked the
   * device and every window yet, and what it reports as pending is too little.
   */
  boolean complete() {
    return rounds > 0;
  }
}
