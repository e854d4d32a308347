package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Outcome;
import dev.vfio.migration.sandbox.cluster.rounds.PauseAfterFault;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.StatusFindings;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Says by the devices' own logs, and by their own verification of each step and byte, whether a
 * round kept the rules. Of the status it takes who the owner is to be, and asks that it names what
 * a person is to do where it calls for one.
 *
 * <p>A device that is killed takes its state with it. So no owner is asked for where the one that
 * the handover names was killed in this round; that a destination which was dead before the
 * decision is never decided for, is.
 *
 * @param since begin of the round, CLOCK_MONOTONIC, nanoseconds
 * @param fault begin of its first fault, the same
 */
record Judge(ChaosCluster chaos, RoundPlan<Point, Part> plan, long since, long fault) {
  private static final Duration RUNS = Duration.ofSeconds(20);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

  /**
   * Waits for the owner to run, and judges.
   *
   * @param atFault status.handover when the fault began
   * @param handover the last one
   */
  Outcome judge(String phaseAtFault, String atFault, MigrationView view, String handover)
      throws IOException, InterruptedException {
    boolean moved = handover.equals("Committed");
    MovingDevice owner = moved ? chaos.destination() : chaos.source();
    boolean lost = killed(moved ? Part.DESTINATION_DEVICE : Part.SOURCE_DEVICE);
    List<String> found = new ArrayList<>();
    if (!lost) {
      Waiting.within(RUNS, LOOK_AGAIN, () -> owner.runs() && broken(moved, false).isEmpty());
      verify(owner, found);
    }
    found.addAll(broken(moved, lost));
    if (moved && !atFault.equals("Committed") && killed(Part.DESTINATION_DEVICE)) {
      found.add("the handover was Committed to a destination whose device had been killed");
    }
    found.addAll(StatusFindings.of(view, moved));
    return new Outcome(
        phaseAtFault,
        view.phase(),
        view.condition("Succeeded").map(MigrationView.Condition::reason).orElse(""),
        handover,
        owner(),
        lost,
        new PauseAfterFault(fault)
            .nanos(chaos.source().eventsSince(since), chaos.destination().eventsSince(since)),
        found);
  }

  private boolean killed(Part device) {
    return plan.blows().contains(new Blow<>(device, Fault.KILL));
  }

  private static void verify(MovingDevice owner, List<String> found)
      throws IOException, InterruptedException {
    if (!owner.runs()) {
      found.add(owner.named() + " is to run and does not: " + owner.console().status());
      return;
    }
    long first = owner.console().status().path("step").asLong();
    boolean steps =
        Waiting.within(
            RUNS, LOOK_AGAIN, () -> owner.console().status().path("step").asLong() > first);
    if (!steps) {
      found.add(owner.named() + " runs and makes no step");
    }
    Continuity continuity = owner.console().verify();
    if (!continuity.ok()) {
      found.add(owner.named() + " lost steps or bytes: " + continuity.detail());
    }
  }

  private List<String> broken(boolean moved, boolean lost) throws IOException {
    HandoverEvidence evidence =
        new HandoverEvidence(
            chaos.source().eventsSince(since), chaos.destination().eventsSince(since));
    List<String> found = new ArrayList<>();
    evidence.neverBothRunning().ifPresent(found::add);
    if (!killed(Part.DESTINATION_DEVICE)) {
      evidence.neverDiscardedTooEarly().ifPresent(found::add);
    }
    if (!lost) {
      evidence.exactlyOneRunsNow().ifPresent(found::add);
    }
    MovingDevice other = moved ? chaos.source() : chaos.destination();
    if (other.runs()) {
      found.add(other.named() + " runs, and the handover names the other");
    }
    Stream.concat(evidence.source().stream(), evidence.destination().stream())
        .filter(event -> event.nanos() >= since && breaksByItself(event))
        .forEach(event -> found.add("a device says: " + event.fields()));
    return found;
  }

  private static boolean breaksByItself(DeviceEvent event) {
    return event.event().equals("violation")
        || event.event().equals("continuity") && event.text("continuity").equals("broken");
  }

  private String owner() throws IOException {
    boolean here = chaos.source().runs();
    boolean there = chaos.destination().runs();
    return here && there ? "both" : here ? "source" : there ? "destination" : "none";
  }
}
