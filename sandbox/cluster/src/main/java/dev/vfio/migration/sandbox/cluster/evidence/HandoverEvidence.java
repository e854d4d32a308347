package dev.vfio.migration.sandbox.cluster.evidence;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What the logs of the two devices prove about a handover. The rules are those of the architecture:
 *
 * <ul>
 *   <li>H1: at no time do both run, neither the devices nor the workloads on them.
 *   <li>H2: state that exists is not discarded before the other side holds it or the handover is
 *       decided.
 *   <li>H3: at the end exactly one device runs, with its workload.
 * </ul>
 *
 * <p>Each check answers with the violation in words, or nothing where the rule was kept.
 *
 * @param source events of the source's device, in order
 * @param destination events of the destination's device, in order
 */
public record HandoverEvidence(List<DeviceEvent> source, List<DeviceEvent> destination) {

  /** Reads both logs as they are now. */
  public static HandoverEvidence read(DeviceLog source, DeviceLog destination) throws IOException {
    return new HandoverEvidence(source.events(), destination.events());
  }

  /** H1: never two owners. */
  public Optional<String> neverBothRunning() {
    Optional<String> devices =
        both("devices", RunningSpans.ofDevice(source), RunningSpans.ofDevice(destination));
    return devices.isPresent()
        ? devices
        : both("workloads", RunningSpans.ofWorkload(source), RunningSpans.ofWorkload(destination));
  }

  private static Optional<String> both(String what, RunningSpans ours, RunningSpans theirs) {
    return ours.overlap(theirs)
        .map(
            span ->
                "H1 broken: both "
                    + what
                    + " ran from t="
                    + span.from()
                    + (span.open() ? " until now" : " to t=" + span.to()));
  }

  /** H2: never no owner of the state. */
  public Optional<String> neverDiscardedTooEarly() {
    OptionalLong completed = firstEntry(source, "SAVE_COMPLETED");
    if (completed.isEmpty()) {
      return Optional.empty();
    }
    OptionalLong loaded = firstEntry(destination, "RESUME_COMPLETED");
    if (loaded.isEmpty() || loaded.getAsLong() > completed.getAsLong()) {
      return Optional.of(
          "H2 broken: the source went into SAVE_COMPLETED at t="
              + completed.getAsLong()
              + " before the destination was in RESUME_COMPLETED");
    }
    for (DeviceEvent event : destination) {
      boolean discards =
          event.event().equals("state")
              && event.text("from").equals("RESUME_COMPLETED")
              && !event.text("to").equals("RUNNING");
      if (discards) {
        return Optional.of(
            "H2 broken: the destination went from RESUME_COMPLETED to "
                + event.text("to")
                + " at t="
                + event.nanos()
                + ", and the source is in SAVE_COMPLETED since t="
                + completed.getAsLong());
      }
    }
    return Optional.empty();
  }

  /** H3: exactly one of the two runs now, with its workload. */
  public Optional<String> exactlyOneRunsNow() {
    boolean here = RunningSpans.ofDevice(source).open();
    boolean there = RunningSpans.ofDevice(destination).open();
    boolean workloadHere = RunningSpans.ofWorkload(source).open();
    boolean workloadThere = RunningSpans.ofWorkload(destination).open();
    if (here != there && workloadHere == here && workloadThere == there) {
      return Optional.empty();
    }
    return Optional.of(
        "H3 broken: the source's device %s, its workload %s; the destination's device %s, its workload %s"
            .formatted(runs(here), runs(workloadHere), runs(there), runs(workloadThere)));
  }

  private static String runs(boolean yes) {
    return yes ? "runs" : "does not run";
  }

  /** Every rule that was broken. */
  public List<String> violations() {
    List<String> found = new ArrayList<>();
    neverBothRunning().ifPresent(found::add);
    neverDiscardedTooEarly().ifPresent(found::add);
    exactlyOneRunsNow().ifPresent(found::add);
    return List.copyOf(found);
  }

  /**
   * The downtime of a move: from the pause of the workload at the source to RUNNING at the
   * destination, nanoseconds. Empty where that did not happen.
   */
  public OptionalLong downtimeNanos() {
    OptionalLong running = firstEntry(destination, "RUNNING");
    return running.isEmpty()
        ? OptionalLong.empty()
        : since(lastPauseBefore(running.getAsLong()), running);
  }

  /**
   * How long the workload at the source stood still because of a move that came to nothing,
   * nanoseconds; 0 where it was never paused. Empty where it stands still now.
   */
  public OptionalLong pauseNanos() {
    long total = 0;
    long since = -1;
    for (DeviceEvent event : source) {
      if (event.workloadBecomes("paused")) {
        since = event.nanos();
      } else if (event.workloadBecomes("running") && since >= 0) {
        total += event.nanos() - since;
        since = -1;
      }
    }
    return since >= 0 ? OptionalLong.empty() : OptionalLong.of(total);
  }

  private OptionalLong lastPauseBefore(long nanos) {
    return source.stream()
        .filter(event -> event.workloadBecomes("paused") && event.nanos() <= nanos)
        .mapToLong(DeviceEvent::nanos)
        .reduce((earlier, later) -> later);
  }

  private static OptionalLong since(OptionalLong from, OptionalLong to) {
    return from.isEmpty()
        ? OptionalLong.empty()
        : OptionalLong.of(to.getAsLong() - from.getAsLong());
  }

  private static OptionalLong firstEntry(List<DeviceEvent> log, String state) {
    return log.stream()
        .filter(event -> event.entersState(state))
        .mapToLong(DeviceEvent::nanos)
        .findFirst();
  }
}
