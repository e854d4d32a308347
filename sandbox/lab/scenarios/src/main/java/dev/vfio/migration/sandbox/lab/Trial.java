package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * One migration of one new pair of devices: a program owns the device of the source, another waits
 * for that of the destination. Used by one thread; once it is closed neither programs nor devices
 * are left.
 */
final class Trial implements AutoCloseable {
  private static final Duration PROGRAM_BOUND = Duration.ofSeconds(120);
  private static final Duration CLEAN_BOUND = Duration.ofSeconds(60);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(300);
  private static final int FURTHER_STEPS = 3;

  private final LabCluster cluster;
  private final String name;
  private final Fixtures fixtures;
  private final LabDevice from;
  private final LabDevice to;
  private final LabWorkload.Window window;
  private final LabWorkload waiting;
  private final List<String> evidence = new ArrayList<>();
  private LabWorkload owner;
  private AppliedMigration migration;

  private Trial(
      LabCluster cluster,
      String name,
      Fixtures fixtures,
      DeviceKind kind,
      LabWorkload.Window window)
      throws IOException, InterruptedException {
    this.cluster = cluster;
    this.name = name;
    this.fixtures = fixtures;
    this.window = window;
    this.from = fixtures.device(cluster.source(), kind);
    this.to = fixtures.device(cluster.destination(), kind);
    this.waiting = fixtures.waiting(to, "waiting");
    startOwner();
    // The agent offers a free device when it lists it: by the operator's next inventory.
    waiting.awaitLine("CONNECTED", PROGRAM_BOUND);
  }

  /**
   * Makes devices and programs, and waits until the owner works and the other one waits.
   *
   * @param name of programs, logs and the DeviceMigration
   */
  static Trial prepare(LabCluster cluster, DeviceKind kind, String name)
      throws IOException, InterruptedException {
    return prepare(cluster, kind, name, LabWorkload.Window.USUAL);
  }

  /** The same with that DMA memory. */
  static Trial prepare(LabCluster cluster, DeviceKind kind, String name, LabWorkload.Window window)
      throws IOException, InterruptedException {
    Fixtures fixtures = new Fixtures(cluster.workload(), name);
    try {
      return new Trial(cluster, name, fixtures, kind, window);
    } catch (IOException | InterruptedException | RuntimeException e) {
      fixtures.close();
      throw e;
    }
  }

  private void startOwner() throws IOException, InterruptedException {
    owner = fixtures.owner(cluster.workload(), from, "owner", window, "");
  }

  // --- what happens ---

  /** Starts the program again that owns the source's device. */
  void ownerAnew() throws IOException, InterruptedException {
    owner.end();
    startOwner();
  }

  /** Applies the migration; it copies while the owner works. */
  Trial live() {
    return apply(true, false);
  }

  /** Applies the migration; it copies only while the owner stands still. */
  Trial cold() {
    return apply(false, false);
  }

  /** Applies a migration that stays in PreCopy, and waits until it is there. */
  Trial heldInPrecopy() throws IOException {
    apply(true, true);
    migration.awaitPhase("PreCopy");
    migration.await(
        view -> view.sourceState().equals("PRECOPY") || view.ended(), "the source in PRECOPY");
    return this;
  }

  private Trial apply(boolean live, boolean manual) {
    migration = cluster.migrate(name, from.end(), to.end(), live, manual);
    return this;
  }

  AppliedMigration migration() {
    return migration;
  }

  LabWorkload owner() {
    return owner;
  }

  LabWorkload waiting() {
    return waiting;
  }

  LabDevice from() {
    return from;
  }

  LabDevice to() {
    return to;
  }

  GuestJournal sourceJournal() {
    return new GuestJournal(cluster.source(), migration.uid());
  }

  GuestJournal destinationJournal() {
    return new GuestJournal(cluster.destination(), migration.uid());
  }

  // --- how it must have ended ---

  /** Succeeded: the destination's program goes on where the source's stopped and ended. */
  Trial succeeded() throws IOException, InterruptedException {
    migration.awaitPhase("Succeeded");
    evidence.add("phase=Succeeded downtime=" + migration.object().at("/status/downtime").asText());
    return runsAtDestination();
  }

  /** Ended as that; the source's program runs on and the destination's still waits. */
  Trial rolledBack(String phase) throws IOException, InterruptedException {
    MigrationView view = migration.awaitPhase(phase);
    evidence.add("phase=" + phase + " " + reason(view));
    return runsAtSource();
  }

  /** The destination's program lost its agent, and waits for the device at the next one. */
  Trial waitsAgain() throws IOException, InterruptedException {
    Waiting.until(
        "the destination's program connects again",
        PROGRAM_BOUND,
        LOOK_AGAIN,
        () -> waiting.timesPrinted("CONNECTED") > waiting.timesPrinted("DISCONNECTED"));
    if (waiting.timesPrinted("DISCONNECTED") == 0) {
      throw new IOException("the destination's program never lost its agent");
    }
    evidence.add("the destination's program waits again");
    return this;
  }

  /** Ended one way or the other, with exactly one program running: for what may go either way. */
  Trial endedSafely() throws IOException, InterruptedException {
    MigrationView view = migration.awaitEnd();
    if (view.phase().equals("Succeeded")) {
      return succeeded();
    }
    if (view.phase().equals("ActionRequired")) {
      throw new IOException("it needs a person: " + view.why());
    }
    return rolledBack(view.phase());
  }

  private static String reason(MigrationView view) {
    return view.condition("Succeeded")
        .map(condition -> condition.reason() + " (" + condition.message() + ")")
        .orElse("");
  }

  private Trial runsAtDestination() throws IOException, InterruptedException {
    waiting.awaitLine("CONTINUITY", PROGRAM_BOUND);
    waiting.awaitSteps(FURTHER_STEPS, PROGRAM_BOUND);
    requireUnbroken();
    waiting.requireAccess("RECEIVED");
    Waiting.until("the source's program ends", CLEAN_BOUND, LOOK_AGAIN, () -> !owner.alive());
    OptionalLong first = waiting.firstStepTaken();
    long last = owner.lastStep();
    // The owner may have been stopped between a step and the line about it.
    if (first.isEmpty() || first.getAsLong() <= last || first.getAsLong() > last + 2) {
      throw new IOException(
          "the source's last step is %d and the destination's first %s".formatted(last, first));
    }
    evidence.add(
        "source stopped at step %d, steps continue at %d".formatted(last, first.getAsLong()));
    requireOneWorked(true);
    return this;
  }

  private Trial runsAtSource() throws IOException, InterruptedException {
    owner.awaitSteps(FURTHER_STEPS, PROGRAM_BOUND);
    requireUnbroken();
    if (waiting.printed("TAKEN")) {
      throw new IOException(
          "both programs run: the device was transferred to the destination's as well");
    }
    evidence.add("the source runs on at step " + owner.lastStep());
    requireOneWorked(false);
    return this;
  }

  /** The trace of our own module shows that one device worked, where the devices are its. */
  private void requireOneWorked(boolean moved) throws IOException, InterruptedException {
    if (!from.kind().ours()) {
      return;
    }
    DeviceTrace left = DeviceTrace.of(from);
    DeviceTrace right = DeviceTrace.of(to);
    if (left.working() == moved || right.working() != moved) {
      throw new IOException(
          "after the end the states written were %s at the source and %s at the destination"
              .formatted(left.states(), right.states()));
    }
    if (!moved && right.firstWorked().isPresent()) {
      throw new IOException("the destination's device worked as well: " + right.states());
    }
    if (moved) {
      GuestClock.requireBefore(
          from.node(),
          left.lastStopped().orElseThrow(),
          to.node(),
          right.firstWorked().orElseThrow());
    }
    evidence.add(
        "source %s, destination %s"
            .formatted(String.join(" ", left.states()), String.join(" ", right.states())));
  }

  private void requireUnbroken() throws IOException {
    for (LabWorkload workload : List.of(owner, waiting)) {
      if (workload.broken().isPresent()) {
        throw new IOException(workload.broken().get());
      }
    }
  }

  /** Adds a fact for the verdict. */
  Trial note(String fact) {
    evidence.add(fact);
    return this;
  }

  /** The facts for the verdict. */
  String evidence() {
    return String.join("; ", evidence);
  }

  @Override
  public void close() throws IOException {
    try (fixtures) {
      if (migration != null) {
        migration.deleteAndWait();
      }
    }
  }
}
