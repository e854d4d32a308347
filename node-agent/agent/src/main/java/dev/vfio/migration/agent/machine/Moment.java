package dev.vfio.migration.agent.machine;

/**
 * When something happened.
 *
 * @param nanos monotonic, comparable within one start of the agent
 * @param epochNanos wall clock, comparable over restarts of the agent
 */
public record Moment(long nanos, long epochNanos) {
  /** The monotonic time of an earlier moment that is known by the wall clock only. */
  long nanosAt(long earlierEpochNanos) {
    return nanos - Math.max(0, epochNanos - earlierEpochNanos);
  }
}
