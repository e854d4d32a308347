package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What our module wrote down about one device: every state that was written to it and how that
 * went. Kernel times of one guest; those of two guests differ by what their clocks differ.
 *
 * @param events in order
 */
record DeviceTrace(List<Event> events) {
  private static final String FILE = "/sys/kernel/debug/vmig/trace";
  private static final Set<String> EVENTS =
      Set.of(
          "state", "open", "close", "reset", "load-failed", "log-start", "log-stop", "log-report");

  /** States in which a device works for its workload. */
  private static final Set<String> WORKING =
      Set.of("RUNNING", "SETUP", "PRECOPY", "001-RUNNING", "011-PRE-COPY", "PRE_COPY");

  /**
   * One line.
   *
   * @param realtimeNanos CLOCK_REALTIME of the guest
   * @param kind state, open, close, reset, load-failed, log-start, log-stop or log-report (only
   *     those that failed)
   * @param from the state before
   * @param to the state after, or the one that was refused
   * @param result 0 or a negative errno
   * @param sent bytes of its state that the device has handed out in this save so far
   */
  record Event(long realtimeNanos, String kind, String from, String to, int result, long sent) {
    boolean entered() {
      return kind.equals("state") && result == 0;
    }
  }

  /** Reads it from the guest. */
  static DeviceTrace of(LabDevice device) throws IOException, InterruptedException {
    List<Event> events = new ArrayList<>();
    for (String line : device.node().run("grep %s %s; true".formatted(device.id(), FILE))) {
      events.add(parse(line));
    }
    return new DeviceTrace(List.copyOf(events));
  }

  /** SEQUENCE MONOTONIC_NS REALTIME_NS UUID KIND EVENT FROM TO result=N step=N sent=N ... */
  static Event parse(String line) throws IOException {
    String[] words = line.strip().split("\\s+");
    if (words.length < 11
        || !EVENTS.contains(words[5])
        || !words[8].startsWith("result=")
        || !words[10].startsWith("sent=")) {
      throw new IOException("not a line of the module's trace: " + line);
    }
    return new Event(
        Long.parseLong(words[2]),
        words[5],
        words[6],
        words[7],
        Integer.parseInt(words[8].substring("result=".length())),
        Long.parseLong(words[10].substring("sent=".length())));
  }

  /** What happened after that time of the guest's clock. */
  DeviceTrace since(long realtimeNanos) {
    return new DeviceTrace(
        events.stream().filter(it -> it.realtimeNanos() > realtimeNanos).toList());
  }

  /** Bytes of its state that the device handed out in the last save. */
  long sent() {
    return events.stream()
        .mapToLong(Event::sent)
        .filter(it -> it > 0)
        .reduce(0, (one, last) -> last);
  }

  /** The results of everything of that kind, in order. */
  List<Integer> results(String kind) {
    return events.stream().filter(it -> it.kind().equals(kind)).map(Event::result).toList();
  }

  /** The states that were entered, in order. */
  List<String> states() {
    return events.stream().filter(Event::entered).map(Event::to).toList();
  }

  /** Whether the device works for a workload after the last state that was written. */
  boolean working() {
    List<String> states = states();
    return !states.isEmpty() && WORKING.contains(states.get(states.size() - 1));
  }

  /** When the device last stopped working. */
  OptionalLong lastStopped() {
    return events.stream()
        .filter(it -> it.entered() && WORKING.contains(it.from()) && !WORKING.contains(it.to()))
        .mapToLong(Event::realtimeNanos)
        .reduce((first, second) -> second);
  }

  /** When the device first began to work. */
  OptionalLong firstWorked() {
    return events.stream()
        .filter(it -> it.entered() && WORKING.contains(it.to()))
        .mapToLong(Event::realtimeNanos)
        .findFirst();
  }
}
