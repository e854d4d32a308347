package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Moment;

/** Time, as sessions see it. */
public interface SessionClock {
  /** Monotonic nanoseconds, comparable within one start of the agent. */
  long nanoTime();

  /** Wall-clock nanoseconds since 1970, comparable over restarts of the agent. */
  long epochNanos();

  /** Both times of now. */
  default Moment now() {
    return new Moment(nanoTime(), epochNanos());
  }
}
