package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.lab.Scenarios.Scenario;
import java.io.IOException;
import java.util.List;

/**
 * Workloads that are killed from outside while their device is being moved. The agent has the
 * device open as well, so its state outlives them. Used by one thread.
 */
record DeadWorkloadScenarios(LabCluster cluster, List<DeviceKind> kinds) {

  List<Scenario> all() {
    String each = DeviceKind.labels(kinds);
    return List.of(
        new Scenario(each + " workload killed in PRECOPY", false, this::inPrecopy),
        new Scenario(each + " workload killed while frozen, moved on", false, this::movedOn),
        new Scenario(each + " workload killed while frozen, cancelled", false, this::cancelled));
  }

  /**
   * A workload that is dead cannot be paused: the migration rolls back, and says that the workload
   * ended.
   */
  private String inPrecopy(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      trials.each(trial -> trial.owner().kill());
      trials.each(trial -> trial.migration().switchOver());
      trials.each(trial -> startedAnew(trial, "Failed"));
      return trials.evidence();
    }
  }

  /** The state is all there and moves; it goes on at the destination. */
  private String movedOn(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      killFrozen(trials);
      trials.each(trial -> trial.waiting().proceed());
      trials.each(Trial::succeeded);
      return trials.evidence();
    }
  }

  /** No program is left that could go on with the state. */
  private String cancelled(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      killFrozen(trials);
      trials.each(trial -> trial.migration().cancel());
      trials.each(trial -> trial.sourceJournal().awaitSource("RollingBack"));
      trials.each(trial -> trial.waiting().proceed());
      trials.each(trial -> startedAnew(trial, "Cancelled"));
      return trials.evidence();
    }
  }

  private static void killFrozen(Trials trials) throws IOException, InterruptedException {
    trials.frozenWhileNobodyTakes();
    trials.each(trial -> trial.owner().kill());
  }

  /** The migration ends by itself and asks to start the workload anew, which can be done. */
  private static void startedAnew(Trial trial, String phase)
      throws IOException, InterruptedException {
    MigrationView view = trial.migration().awaitPhase(phase);
    String device = trial.from().id();
    trial.note(
        "phase=%s %s, %s"
            .formatted(
                phase,
                ConditionAssertions.refusal(
                    view, List.of("Succeeded"), List.of(device, "start the workload of")),
                ConditionAssertions.refusal(
                    view,
                    List.of("SourceReady"),
                    List.of(device, "has no workload any more", "died", "It was reset"))));
    if (trial.waiting().printed("TAKEN")) {
      throw new IOException(
          "it was rolled back, and a device was transferred to the destination's program");
    }
    trial.ownerAnew();
    trial.note("started anew at step " + trial.owner().lastStep());
  }
}
