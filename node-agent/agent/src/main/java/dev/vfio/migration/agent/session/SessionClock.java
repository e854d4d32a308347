package dev.vfio.migration.agent.session;

/** Time, as sessions see it. */
public interface SessionClock {
  /** Monotonic nanoseconds, comparable within one start of the agent. */
  long nanoTime();

  /** Wall-clock nanoseconds since 1970, comparable over restarts of the agent. */
  long epochNanos();
}
