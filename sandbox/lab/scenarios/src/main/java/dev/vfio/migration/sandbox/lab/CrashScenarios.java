package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import dev.vfio.migration.sandbox.lab.Scenarios.Scenario;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * Agents that are killed at the critical moments of a handover: while the destination receives,
 * when everything is loaded and nothing decided, and when it is decided and not done. Used by one
 * thread.
 */
record CrashScenarios(LabCluster cluster, List<DeviceKind> kinds) {
  private static final Duration LOADING_BOUND = Duration.ofSeconds(120);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);
  private static final Duration SLOW_LOAD = Duration.ofSeconds(5);

  /** Longer than it takes to see it in two guests; a kill ends it at once. */
  private static final Duration SLOW_TRANSITION = Duration.ofSeconds(60);

  List<Scenario> all() {
    String each = DeviceKind.labels(kinds);
    return List.of(
        new Scenario(each + " destination agent killed in RECEIVING", false, this::receiving),
        new Scenario(each + " destination agent killed in LOADED", false, this::loaded),
        new Scenario(each + " destination agent killed in ACTIVATING", false, this::activating),
        new Scenario(
            each + " source agent killed in AWAITING_DECISION", false, this::awaitingDecision));
  }

  /** Nothing is loaded: each goes back, and the waiting programs wait for the next one. */
  private String receiving(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      for (Trial trial : trials.all()) {
        trial.migration().await(view -> view.transferredBytes() > 0, "bytes that arrived");
      }
      Trial slow = ours(trials);
      try (DeviceFaults fault = DeviceFaults.loadsTake(slow.to(), SLOW_LOAD)) {
        Waiting.until(
            "the destination's agent is in the middle of loading a chunk",
            LOADING_BOUND,
            LOOK_AGAIN,
            () -> cluster.destinationAgent().isInside(slow.to().kind().module()));
        cluster.destinationAgent().kill();
        slow.note(fault.description());
      }
      cluster.destinationAgent().restart();
      trials.each(trial -> trial.rolledBack("Failed").waitsAgain());
      return trials.evidence();
    }
  }

  /** Everything is loaded and transferred to programs that wait: it outlives the agent. */
  private String loaded(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      try {
        loadUndecided(trials);
        cluster.destinationAgent().kill();
        cluster.destinationAgent().restart();
        trials.each(trial -> trial.waiting().awaitLine("CONNECTED holds=", LOADING_BOUND));
      } finally {
        cluster.proceedOperator();
      }
      trials.each(Trial::succeeded);
      return trials.evidence();
    }
  }

  /**
   * The handover is decided: the destination gets there, whether its device was on the way to
   * RUNNING, or it ran already and its program had been asked to take it and had not answered.
   */
  private String activating(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      try {
        loadUndecided(trials);
      } catch (IOException | InterruptedException | RuntimeException e) {
        cluster.proceedOperator();
        throw e;
      }
      List<Trial> others = trials.all().stream().filter(it -> !it.from().kind().ours()).toList();
      try (DeviceFaults slow =
          DeviceFaults.transitionsTake(cluster.destination(), SLOW_TRANSITION)) {
        for (Trial trial : others) {
          trial.waiting().suspend();
        }
        cluster.proceedOperator();
        for (Trial trial : trials.all()) {
          trial.destinationJournal().awaitDestination("Activating");
        }
        for (Trial trial : others) {
          trial.destinationJournal().awaitTakeAsked(trial.to());
        }
        cluster.destinationAgent().kill();
        for (Trial trial : trials.all()) {
          requireNotTaken(trial);
          trial.note(
              others.contains(trial) ? "killed before it received TAKEN" : "killed before RUNNING");
        }
        trials.all().get(0).note(slow.description());
      }
      for (Trial trial : others) {
        trial.waiting().proceed();
      }
      cluster.destinationAgent().restart();
      trials.each(Trial::succeeded);
      return trials.evidence();
    }
  }

  private static void requireNotTaken(Trial trial) throws IOException, InterruptedException {
    boolean ran = trial.from().kind().ours() && DeviceTrace.of(trial.to()).working();
    if (ran || trial.waiting().printed("TAKEN")) {
      throw new IOException(
          trial.to().kind().label() + " was active before its agent was killed: no crash was seen");
    }
  }

  /** The destination may hold everything: the source stands still until it learns the decision. */
  private String awaitingDecision(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      try {
        loadUndecided(trials);
        cluster.sourceAgent().kill();
        cluster.sourceAgent().restart();
        for (Trial trial : trials.all()) {
          if (!trial.owner().frozen()) {
            throw new IOException(
                trial.from().kind().label() + "'s owner was thawed before anything was decided");
          }
        }
      } finally {
        cluster.proceedOperator();
      }
      trials.each(Trial::succeeded);
      return trials.evidence();
    }
  }

  /**
   * Everything is loaded, and nothing decided: the operator stands still since before the
   * destination had it all, and until {@link LabCluster#proceedOperator()}.
   */
  private void loadUndecided(Trials trials) throws IOException, InterruptedException {
    trials.frozenWhileNobodyTakes();
    cluster.suspendOperator();
    trials.each(trial -> trial.waiting().proceed());
    trials.each(
        trial -> {
          trial.destinationJournal().awaitDestination("Loaded");
          trial.sourceJournal().awaitSource("EndAllowed");
          if (!trial.waiting().printed("RECEIVED")) {
            throw new IOException("Loaded is journalled before the device was transferred");
          }
        });
  }

  private static Trial ours(Trials trials) {
    List<Trial> ours = trials.all().stream().filter(it -> it.from().kind().ours()).toList();
    return ours.get(ours.size() - 1);
  }
}
