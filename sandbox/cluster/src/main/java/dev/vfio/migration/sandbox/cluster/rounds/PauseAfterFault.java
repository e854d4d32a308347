package dev.vfio.migration.sandbox.cluster.rounds;

import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/**
 * What a fault costs a workload that stood still already, by the devices' own logs: the time from
 * the fault until the destination's device runs.
 *
 * @param fault CLOCK_MONOTONIC, nanoseconds
 */
public record PauseAfterFault(long fault) {
  private static final double NANOS_PER_MILLI = 1e6;

  /** Empty where the workload was not paused then, or the destination does not run afterwards. */
  public OptionalLong nanos(List<DeviceEvent> source, List<DeviceEvent> destination) {
    boolean paused =
        source.stream()
            .filter(event -> event.event().equals("workload") && event.nanos() < fault)
            .reduce((earlier, later) -> later)
            .filter(event -> event.workloadBecomes("paused"))
            .isPresent();
    OptionalLong runs =
        destination.stream()
            .filter(event -> event.entersState("RUNNING") && event.nanos() >= fault)
            .mapToLong(DeviceEvent::nanos)
            .findFirst();
    return paused && runs.isPresent()
        ? OptionalLong.of(runs.getAsLong() - fault)
        : OptionalLong.empty();
  }

  public static String millis(long nanos) {
    return String.format(Locale.ROOT, "%.0f", nanos / NANOS_PER_MILLI);
  }

  /** Number, median and maximum of such times, none of them missing. */
  static String summary(List<Long> nanos) {
    List<Long> sorted = nanos.stream().sorted().toList();
    return "pause from the fault until the destination ran: rounds=%d median_ms=%s max_ms=%s"
        .formatted(
            sorted.size(),
            millis(sorted.get(sorted.size() / 2)),
            millis(sorted.get(sorted.size() - 1)));
  }
}
