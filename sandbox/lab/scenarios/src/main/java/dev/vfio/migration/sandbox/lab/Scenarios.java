package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What the lab shows. Each scenario ends with its evidence, or throws. Used by one thread.
 *
 * @param plainDevice PCI address of a device, in both guests, that cannot migrate
 * @param kinds what the guests' kernel offers
 */
record Scenarios(LabCluster cluster, String plainDevice, List<DeviceKind> kinds) {
  private static final Duration SLOW_TRANSITION = Duration.ofSeconds(30);
  private static final Duration FREEZE_BOUND = Duration.ofSeconds(120);
  private static final long FAULT_AFTER_BYTES = 65_536;
  private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

  /** Runs and ends with evidence. */
  @FunctionalInterface
  interface Body {
    String run(String name) throws IOException, InterruptedException;
  }

  /** The same for one kind of device. */
  @FunctionalInterface
  private interface KindBody {
    String run(DeviceKind kind, String name) throws IOException, InterruptedException;
  }

  /**
   * One scenario.
   *
   * @param name for people; also the base of object names
   * @param core whether it belongs to the short run
   */
  record Scenario(String name, boolean core, Body body) {
    /** A name for objects and files. */
    String slug() {
      return name.replaceAll("[^0-9A-Za-z]+", "-").toLowerCase(java.util.Locale.ROOT);
    }
  }

  /** The short ones first. */
  List<Scenario> all() {
    List<Scenario> scenarios = new ArrayList<>();
    forEachKind(scenarios, " live success", true, this::liveSuccess);
    forEachKind(scenarios, " failure in RESUME", true, this::failureInResume);
    scenarios.add(new Scenario("plain vfio-pci device refused", false, this::plainRefused));
    forEachKind(scenarios, " cold success", false, this::coldSuccess);
    forEachKind(scenarios, " cancelled in PRECOPY", false, this::cancelledInPrecopy);
    scenarios.add(
        new Scenario(
            DeviceKind.labels(kinds) + " source agent killed in PRECOPY",
            false,
            this::killedInPrecopy));
    forEachKind(scenarios, " source agent killed in STOPNCOPY", false, this::killedInStopAndCopy);
    scenarios.add(
        new Scenario(
            "2018 source agent killed in STOPNCOPY, state unreadable",
            false,
            this::killedWithSilentDevice));
    // One device for each interface is enough there.
    List<DeviceKind> one = kinds.stream().filter(DeviceKind::core).toList();
    scenarios.addAll(new CrashScenarios(cluster, one).all());
    scenarios.addAll(new DeadWorkloadScenarios(cluster, one).all());
    if (!cluster.source().cdev()) {
      // These are about groups, which several programs cannot have at once.
      scenarios.addAll(new RefusedScenarios(cluster, plainDevice).all());
    }
    if (kinds.contains(DeviceKind.FEATURE_V2_OURS)) {
      scenarios.addAll(new LogScenarios(cluster).all());
    }
    return List.copyOf(scenarios);
  }

  private void forEachKind(List<Scenario> scenarios, String what, boolean core, KindBody body) {
    for (DeviceKind kind : kinds) {
      scenarios.add(
          new Scenario(kind.label() + what, core && kind.core(), name -> body.run(kind, name)));
    }
  }

  private Trial trial(DeviceKind kind, String name) throws IOException, InterruptedException {
    return Trial.prepare(cluster, kind, name);
  }

  private String liveSuccess(DeviceKind kind, String name)
      throws IOException, InterruptedException {
    try (Trial trial = trial(kind, name)) {
      return trial.live().succeeded().evidence();
    }
  }

  private String coldSuccess(DeviceKind kind, String name)
      throws IOException, InterruptedException {
    try (Trial trial = trial(kind, name)) {
      return trial.cold().succeeded().evidence();
    }
  }

  private String cancelledInPrecopy(DeviceKind kind, String name)
      throws IOException, InterruptedException {
    try (Trial trial = trial(kind, name)) {
      trial.heldInPrecopy().migration().cancel();
      return trial.rolledBack("Cancelled").evidence();
    }
  }

  private String failureInResume(DeviceKind kind, String name)
      throws IOException, InterruptedException {
    try (Trial trial = trial(kind, name)) {
      if (kind.ours()) {
        try (DeviceFaults fault = DeviceFaults.loadFailsAfter(trial.to(), FAULT_AFTER_BYTES)) {
          return trial.live().rolledBack("Failed").note(fault.description()).evidence();
        }
      }
      // The kernel's own sample cannot be made to fail: it is the waiting program that fails.
      trial.heldInPrecopy().waiting().end();
      trial.migration().switchOver();
      return trial.rolledBack("Failed").evidence();
    }
  }

  /** One agent, a migration for each kind: each is taken up from its own journal. */
  private String killedInPrecopy(String name) throws IOException, InterruptedException {
    try (Trials trials = Trials.heldInPrecopy(cluster, kinds, name)) {
      cluster.sourceAgent().kill();
      cluster.sourceAgent().restart();
      trials.each(trial -> trial.migration().switchOver());
      trials.each(Trial::endedSafely);
      return trials.evidence();
    }
  }

  /**
   * The destination does not get ready, so that the source stays in STOPNCOPY until it is killed.
   */
  private String killedInStopAndCopy(DeviceKind kind, String name)
      throws IOException, InterruptedException {
    try (Trial trial = trial(kind, name)) {
      trial.heldInPrecopy();
      if (kind.ours()) {
        try (DeviceFaults fault = DeviceFaults.transitionsTake(trial.to(), SLOW_TRANSITION)) {
          killWhileFrozen(trial);
          trial.note(fault.description());
        }
      } else {
        // Its state and the window fit into the buffers of the connection.
        cluster.destinationAgent().suspend();
        try {
          killWhileFrozen(trial);
        } finally {
          cluster.destinationAgent().proceed();
        }
      }
      cluster.sourceAgent().restart();
      return trial.endedSafely().evidence();
    }
  }

  /**
   * The workload held the device all the time: its state is what it was, though it cannot be read.
   */
  private String killedWithSilentDevice(String name) throws IOException, InterruptedException {
    try (Trial trial = trial(DeviceKind.REGION_2018, name);
        DeviceFaults silent = DeviceFaults.stateIsUnreadable(trial.from().node())) {
      trial.note(silent.description()).heldInPrecopy();
      try (DeviceFaults slow = DeviceFaults.transitionsTake(trial.to(), SLOW_TRANSITION)) {
        killWhileFrozen(trial);
      }
      cluster.sourceAgent().restart();
      return trial.endedSafely().evidence();
    }
  }

  private void killWhileFrozen(Trial trial) throws IOException, InterruptedException {
    trial.migration().switchOver();
    Waiting.until(
        "the source's program is frozen", FREEZE_BOUND, LOOK_AGAIN, () -> trial.owner().frozen());
    cluster.sourceAgent().kill();
    if (!trial.owner().frozen()) {
      throw new IOException("the source's program was not frozen when its agent was killed");
    }
  }

  private String plainRefused(String name) throws IOException {
    AppliedMigration migration =
        cluster.migrate(
            name,
            new NodeDevice(LabCluster.SOURCE_NODE, plainDevice),
            new NodeDevice(LabCluster.DESTINATION_NODE, plainDevice),
            true,
            false);
    try {
      MigrationView view = migration.awaitPhase("Failed");
      MigrationView.Condition validated =
          view.condition("Validated")
              .filter(condition -> condition.status().equals("False"))
              .orElseThrow(() -> new IOException("Validated is not False: " + view));
      return "Validated=False %s (%s)".formatted(validated.reason(), validated.message());
    } finally {
      migration.deleteAndWait();
    }
  }
}
