package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * One migration for each kind of device, all at the same time: an agent that is killed takes up
 * each from its own journal, and is started once for all. Used by one thread.
 */
final class Trials implements AutoCloseable {
  private static final Duration FREEZE_BOUND = Duration.ofSeconds(120);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

  private final List<Trial> trials = new ArrayList<>();

  private Trials() {}

  /** Something that is done to each. */
  @FunctionalInterface
  interface Step {
    void on(Trial trial) throws IOException, InterruptedException;
  }

  /** Makes them, and waits until each copies while its owner works. */
  static Trials heldInPrecopy(
      LabCluster cluster, Path workload, List<DeviceKind> kinds, String name)
      throws IOException, InterruptedException {
    Trials trials = new Trials();
    boolean held = false;
    try {
      for (DeviceKind kind : kinds) {
        Trial trial = Trial.prepare(cluster, workload, kind, kind.label() + "-" + name);
        trials.trials.add(trial);
        trial.heldInPrecopy();
      }
      held = true;
      return trials;
    } finally {
      if (!held) {
        trials.close();
      }
    }
  }

  /**
   * Switches all over and returns when every owner is frozen. None gets further than having sent
   * everything: the waiting programs are stopped, so that what is loaded cannot be handed to them,
   * until they proceed.
   */
  void frozenWhileNobodyTakes() throws IOException, InterruptedException {
    each(trial -> trial.waiting().suspend());
    each(trial -> trial.migration().switchOver());
    each(
        trial ->
            Waiting.until(
                "the source's program is frozen",
                FREEZE_BOUND,
                LOOK_AGAIN,
                () -> trial.owner().frozen()));
  }

  /** Each kind once, in the order of the kinds. */
  List<Trial> all() {
    return List.copyOf(trials);
  }

  void each(Step step) throws IOException, InterruptedException {
    for (Trial trial : trials) {
      step.on(trial);
    }
  }

  /** The facts of all for the verdict. */
  String evidence() {
    return String.join(
        "; ", trials.stream().map(it -> it.from().kind().label() + " " + it.evidence()).toList());
  }

  @Override
  public void close() throws IOException {
    IOException trouble = null;
    for (Trial trial : trials) {
      try {
        trial.close();
      } catch (IOException e) {
        if (trouble == null) {
          trouble = e;
        } else {
          trouble.addSuppressed(e);
        }
      }
    }
    if (trouble != null) {
      throw trouble;
    }
  }
}
