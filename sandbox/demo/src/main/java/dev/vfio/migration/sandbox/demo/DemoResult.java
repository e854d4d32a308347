package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How a migration ended: what the status says, and what the devices say themselves.
 *
 * @param expected how it was to end
 * @param view the last status
 * @param evidence the logs of both devices
 * @param continuity what the device found that runs the workload now; empty where none does
 */
record DemoResult(
    Expectation expected,
    MigrationView view,
    HandoverEvidence evidence,
    Optional<Continuity> continuity) {

  /** The one line that ends the demo. */
  String result() {
    return "RESULT phase=%s transferredBytes=%d dirtyPages=%d downtimeMs=%s continuity=%s"
        .formatted(
            view.phase(),
            view.transferredBytes(),
            view.dirtyPages(),
            downtimeMillis(),
            continuity.map(Continuity::word).orElse("unknown"));
  }

  /** How long the workload stood still, by the devices' own logs. */
  private String downtimeMillis() {
    OptionalLong nanos =
        view.phase().equals("Succeeded") ? evidence.downtimeNanos() : evidence.pauseNanos();
    return nanos.isEmpty()
        ? "unknown"
        : String.format(Locale.ROOT, "%.1f", nanos.getAsLong() / 1e6);
  }

  /**
   * Everything that is not as it was asked for; empty where the demo showed what it was to show.
   */
  List<String> objections() {
    List<String> found = new ArrayList<>();
    if (!view.phase().equals(expected.phase())) {
      found.add(
          "the migration ended as %s, and %s was asked for"
              .formatted(view.phase().isEmpty() ? "nothing" : view.phase(), expected.phase()));
      view.refusals()
          .forEach(
              condition ->
                  found.add(
                      "%s is %s: %s: %s"
                          .formatted(
                              condition.type(),
                              condition.status(),
                              condition.reason(),
                              condition.message())));
    }
    found.addAll(evidence.violations());
    if (expected.moved() && evidence.downtimeNanos().isEmpty()) {
      found.add("the devices' logs show no pause at the source before RUNNING at the destination");
    }
    if (continuity.isEmpty()) {
      found.add("no device runs the workload, so nothing can be said about continuity");
    } else if (!continuity.get().ok()) {
      found.add("steps or bytes were lost: " + continuity.get().detail());
    }
    if (expected.sourceFault().isPresent() && !faultHappened(evidence.source())) {
      found.add("the source's device never did " + expected.sourceFault().get());
    }
    if (expected.destinationFault().isPresent() && !faultHappened(evidence.destination())) {
      found.add("the destination's device never did " + expected.destinationFault().get());
    }
    return found;
  }

  private static boolean faultHappened(List<DeviceEvent> log) {
    return log.stream().anyMatch(event -> event.event().equals("fault"));
  }
}
