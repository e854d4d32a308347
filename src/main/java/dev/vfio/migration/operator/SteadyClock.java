package dev.vfio.migration.operator;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;

/**
 * For durations within this process: counts by {@link System#nanoTime()}, whatever the wall clock
 * is set to. Its instants begin at the time of day of its creation and mean nothing elsewhere; what
 * is shown or recorded takes the wall clock.
 */
final class SteadyClock extends Clock {
  private final Instant began = Instant.now();
  private final long nanosAtBegin = System.nanoTime();

  @Override
  public Instant instant() {
    return began.plusNanos(System.nanoTime() - nanosAtBegin);
  }

  @Override
  public ZoneId getZone() {
    return ZoneOffset.UTC;
  }

  @Override
  public Clock withZone(ZoneId zone) {
    throw new UnsupportedOperationException("its instants are for differences, not for calendars");
  }
}
