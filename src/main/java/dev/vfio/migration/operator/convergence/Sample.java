package dev.vfio.migration.operator.convergence;

import java.time.Instant;

/**
 * A measurement of a copy in progress.
 *
 * @param at when it was measured
 * @param pendingBytes what is still to be sent: device state of all three classes and memory; an
 *     estimate that may rise
 * @param bytesPerSecond payload that goes over now; 0 where nothing was measured yet
 * @param rounds completed rounds
 * @param exhausted the device has nothing more that can be sent before it stops
 * @param initialBytes part of what is pending that only falls and that the device asks to be read
 *     before it is stopped: stopping earlier would cost the destination time. 0 where its interface
 *     knows no such part
 * @param named whether something is known of the device's share of what is pending: it names bytes,
 *     or was read to its end. What names none may have any number
 */
public record Sample(
    Instant at,
    long pendingBytes,
    long bytesPerSecond,
    long rounds,
    boolean exhausted,
    long initialBytes,
    boolean named) {

  /** A sample of a device that names what is pending. */
  public Sample(
      Instant at,
      long pendingBytes,
      long bytesPerSecond,
      long rounds,
      boolean exhausted,
      long initialBytes) {
    this(at, pendingBytes, bytesPerSecond, rounds, exhausted, initialBytes, true);
  }

  /** A sample of a device that asks for nothing to be read before it is stopped. */
  public Sample(
      Instant at, long pendingBytes, long bytesPerSecond, long rounds, boolean exhausted) {
    this(at, pendingBytes, bytesPerSecond, rounds, exhausted, 0);
  }

  /**
   * True once everything was measured: a copy whose first round is not over has not asked the
   * device and every window yet, and what it reports as pending is too little.
   */
  boolean complete() {
    return rounds > 0;
  }
}
