package dev.vfio.migration.sandbox.cluster.evidence;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The times in which something ran, in rising order, none overlapping another.
 *
 * @param spans nanoseconds of CLOCK_MONOTONIC
 */
record RunningSpans(List<Span> spans) {

  /** From its begin to its end; a span that has not ended yet ends at {@link Long#MAX_VALUE}. */
  record Span(long from, long to) {
    boolean open() {
      return to == Long.MAX_VALUE;
    }
  }

  /** The states in which a device does its work, after the 2018 text. */
  private static final Set<String> DEVICE_RUNS = Set.of("RUNNING", "SETUP", "PRECOPY");

  /** The times in which the device itself ran. */
  static RunningSpans ofDevice(List<DeviceEvent> log) {
    return of(log, "state", DEVICE_RUNS);
  }

  /** The times in which the workload used the device. */
  static RunningSpans ofWorkload(List<DeviceEvent> log) {
    return of(log, "workload", Set.of("running"));
  }

  private static RunningSpans of(List<DeviceEvent> log, String kind, Set<String> running) {
    List<Span> spans = new ArrayList<>();
    long since = -1;
    boolean first = true;
    for (DeviceEvent event : log) {
      if (!event.event().equals(kind)) {
        continue;
      }
      if (first && running.contains(event.text("from"))) {
        since = log.get(0).nanos();
      }
      first = false;
      boolean runs = running.contains(event.text("to"));
      if (runs && since < 0) {
        since = event.nanos();
      } else if (!runs && since >= 0) {
        spans.add(new Span(since, event.nanos()));
        since = -1;
      }
    }
    if (since >= 0) {
      spans.add(new Span(since, Long.MAX_VALUE));
    }
    return new RunningSpans(List.copyOf(spans));
  }

  /** Whether it runs now. */
  boolean open() {
    return !spans.isEmpty() && spans.get(spans.size() - 1).open();
  }

  /** The first time in which both ran. */
  Optional<Span> overlap(RunningSpans other) {
    for (Span mine : spans) {
      for (Span theirs : other.spans) {
        long from = Math.max(mine.from, theirs.from);
        long to = Math.min(mine.to, theirs.to);
        if (from < to) {
          return Optional.of(new Span(from, to));
        }
      }
    }
    return Optional.empty();
  }
}
