package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Outcome;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.StatusFindings;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Says by what the programs that use the devices wrote down, and by the trace of our kernel module,
 * whether a round kept the rules. A program that takes a device verifies each byte of its state and
 * memory, and each step since the first.
 *
 * <p>What only a process or a guest had that was killed is gone: then nobody is asked to run.
 */
record ChaosJudge(ChaosPair pair, RoundPlan<ChaosPoint, ChaosPart> plan, ChaosTraces traces) {
  private static final Duration RUNS = Duration.ofSeconds(90);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(300);
  private static final int FURTHER_STEPS = 3;

  /**
   * Waits for the owner to work, and judges.
   *
   * @param atFault status.handover when the fault began
   * @param handover the last one
   */
  Outcome judge(String phaseAtFault, String atFault, MigrationView view, String handover)
      throws IOException, InterruptedException {
    boolean moved = handover.equals("Committed");
    boolean lost = moved ? lostAtDestination() : lostAtSource();
    boolean waits = view.phase().equals("ActionRequired");
    List<String> found = new ArrayList<>();
    Optional<LabWorkload> taker = taker();
    if (!lost && !waits) {
      found.addAll(moved ? worksThere(taker) : worksHere());
    }
    if (!moved && taker.isPresent()) {
      found.add("the device was transferred to the destination's program, and nothing was decided");
    }
    if (moved && !atFault.equals("Committed") && killed(ChaosPart.DESTINATION_GUEST)) {
      found.add("the handover was Committed to a destination whose guest had been killed");
    }
    found.addAll(broken());
    found.addAll(traces.findings(pair, moved, lost || waits));
    found.addAll(StatusFindings.of(view, moved));
    return new Outcome(
        phaseAtFault,
        view.phase(),
        view.condition("Succeeded").map(MigrationView.Condition::reason).orElse(""),
        handover,
        works(taker),
        lost,
        OptionalLong.empty(),
        found);
  }

  private boolean killed(ChaosPart part) {
    return plan.blows().contains(new Blow<>(part, Fault.KILL));
  }

  /** Only the workload and its guest had it, and a killed workload's device is reset. */
  private boolean lostAtSource() {
    return killed(ChaosPart.SOURCE_WORKLOAD) || killed(ChaosPart.SOURCE_GUEST);
  }

  private boolean lostAtDestination() throws IOException {
    boolean took = pair.waitings().get(0).printed("TAKEN");
    return killed(ChaosPart.DESTINATION_GUEST) || took && killed(ChaosPart.WAITING_WORKLOAD);
  }

  private Optional<LabWorkload> taker() throws IOException {
    for (LabWorkload waiting : pair.waitings()) {
      if (waiting.printed("TAKEN")) {
        return Optional.of(waiting);
      }
    }
    return Optional.empty();
  }

  private List<String> worksThere(Optional<LabWorkload> known)
      throws IOException, InterruptedException {
    Waiting.within(RUNS, LOOK_AGAIN, () -> taker().isPresent());
    Optional<LabWorkload> taker = known.isPresent() ? known : taker();
    if (taker.isEmpty()) {
      return List.of("the handover is Committed, and no program has taken the device");
    }
    List<String> found = new ArrayList<>(goesOn(taker.get(), "the destination's program"));
    if (!Waiting.within(RUNS, LOOK_AGAIN, () -> !pair.owner().alive())) {
      found.add("the source's program has not ended, and the device is the destination's");
    }
    OptionalLong first = taker.get().firstStepTaken();
    long last = pair.owner().lastStep();
    // The owner may have been stopped between a step and the line about it.
    if (first.isEmpty() || first.getAsLong() <= last || first.getAsLong() > last + 2) {
      found.add("the source's last step is %d, the destination's first %s".formatted(last, first));
    }
    return found;
  }

  private List<String> worksHere() throws IOException, InterruptedException {
    return goesOn(pair.owner(), "the source's program");
  }

  private static List<String> goesOn(LabWorkload workload, String who)
      throws IOException, InterruptedException {
    long from = workload.lastStep();
    boolean steps =
        Waiting.within(RUNS, LOOK_AGAIN, () -> workload.lastStep() >= from + FURTHER_STEPS);
    return steps
        ? List.of()
        : List.of("%s does not go on from step %d".formatted(who, workload.lastStep()));
  }

  private List<String> broken() throws IOException {
    List<String> found = new ArrayList<>();
    pair.owner().broken().ifPresent(line -> found.add("the source's program says " + line));
    for (LabWorkload waiting : pair.waitings()) {
      waiting.broken().ifPresent(line -> found.add("the destination's program says " + line));
    }
    return found;
  }

  private String works(Optional<LabWorkload> taker) throws IOException, InterruptedException {
    boolean there = taker.isPresent() && taker.get().alive();
    boolean here = pair.owner().alive() && !pair.owner().frozen();
    return here && there ? "both" : here ? "source" : there ? "destination" : "none";
  }
}
