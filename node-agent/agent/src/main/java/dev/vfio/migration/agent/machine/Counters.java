package dev.vfio.migration.agent.machine;

/**
 * How much a session has moved, and how fast.
 *
 * @param rate of moving
 * @param progress for watchers
 */
record Counters(RateWindow rate, Progress progress) {
  static final Counters NONE = new Counters(new RateWindow(0, 0, 0), Progress.NONE);

  Counters startingAt(Moment now) {
    return new Counters(RateWindow.startingAt(now.nanos()), progress);
  }

  Counters with(Progress value) {
    return new Counters(rate, value);
  }

  /** So much was moved in all by now. */
  Counters moved(long deviceStateBytes, long memoryBytes, Moment now) {
    long bytes = deviceStateBytes + memoryBytes;
    RateWindow next = rate.at(now.nanos(), bytes);
    return new Counters(
        next,
        progress
            .withMoved(deviceStateBytes, memoryBytes)
            .withRate(next.report(now.nanos(), bytes)));
  }
}
