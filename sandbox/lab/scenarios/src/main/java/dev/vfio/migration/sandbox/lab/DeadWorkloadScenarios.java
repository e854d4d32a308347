package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.lab.Scenarios.Scenario;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Workloads that are killed by somebody else while their device is being moved. The agent has the
 * device open as well, so its state outlives them. Used by one thread.
 */
final class DeadWorkloadScenarios {
  private final LabCluster cluster;
  private final Path workload;
  private final List<DeviceKind> kinds;

  /**
   * @param workload the program, as the guests see it
   * @param kinds what the guests' kernel offers
   */
  DeadWorkloadScenarios(LabCluster cluster, Path workload, List<DeviceKind> kinds) {
    this.cluster = cluster;
    this.workload = workload;
    this.kinds = List.copyOf(kinds);
  }

  List<Scenario> all() {
    String each = DeviceKind.labels(kinds);
    return List.of(
        new Scenario(each + " workload killed in PRECOPY", false, this::inPrecopy),
        new Scenario(each + " workload killed while frozen, moved on", false, this::movedOn),
        new Scenario(each + " workload killed while frozen, cancelled", false, this::cancelled));
  }

  /** What it used to do cannot be paused: the migration goes back, and says that it is gone. */
  private String inPrecopy(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, workload, kinds, name)) {
      trials.each(trial -> trial.owner().kill());
      trials.each(trial -> trial.migration().switchOver());
      trials.each(trial -> startedAnew(trial, "Failed"));
      return trials.evidence();
    }
  }

  /** The state is all there and moves; it goes on at the destination. */
  private String movedOn(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, workload, kinds, name)) {
      killFrozen(trials);
      trials.each(trial -> trial.waiting().proceed());
      trials.each(Trial::succeeded);
      return trials.evidence();
    }
  }

  /** Nobody is left who could have the state back. */
  private String cancelled(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, workload, kinds, name)) {
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

  /** It ends by itself, says that the workload is to be started anew, and that can be done. */
  private static void startedAnew(Trial trial, String phase)
      throws IOException, InterruptedException {
    MigrationView view = trial.migration().awaitPhase(phase);
    String device = trial.from().id();
    trial.note(
        "phase=%s %s, %s"
            .formatted(
                phase,
                Told.by(view, List.of("Succeeded"), List.of(device, "start the workload of")),
                Told.by(
                    view,
                    List.of("SourceReady"),
                    List.of(device, "has no workload any more", "died", "It was reset"))));
    if (trial.waiting().printed("TAKEN")) {
      throw new IOException("it was rolled back, and the destination's program was given a device");
    }
    trial.ownerAnew();
    trial.note("started anew at step " + trial.owner().lastStep());
  }
}
