package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.SessionClock;
import java.time.Instant;

/** The machine's clocks. */
final class SystemClock implements SessionClock {
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public long epochNanos() {
    Instant now = Instant.now();
    return now.getEpochSecond() * NANOS_PER_SECOND + now.getNano();
  }
}
