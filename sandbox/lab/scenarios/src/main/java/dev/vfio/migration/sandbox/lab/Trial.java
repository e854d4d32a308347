package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;

/**
 * One migration of one new pair of devices: a program owns the device of the source, another waits
 * for that of the destination. Used by one thread; closed it leaves neither programs nor devices.
 */
final class Trial implements AutoCloseable {
  private static final Duration PROGRAM_BOUND = Duration.ofSeconds(120);
  private static final Duration CLEAN_BOUND = Duration.ofSeconds(60);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(300);
  private static final int FURTHER_STEPS = 3;
  private static final int MOST_REFUSALS = 2;

  private final LabCluster cluster;
  private final String name;
  private final List<LabDevice> devices = new ArrayList<>();
  private final LabDevice from;
  private final LabDevice to;
  private final Path workload;
  private final LabWorkload.Window window;
  private LabWorkload owner;
  private final LabWorkload waiting;
  private final List<String> evidence = new ArrayList<>();
  private Migration migration;

  private Trial(
      LabCluster cluster, Path workload, DeviceKind kind, String name, LabWorkload.Window window)
      throws IOException, InterruptedException {
    this.cluster = cluster;
    this.name = name;
    this.from = LabDevice.create(cluster.source(), kind, UUID.randomUUID().toString());
    devices.add(from);
    this.to = LabDevice.create(cluster.destination(), kind, UUID.randomUUID().toString());
    devices.add(to);
    this.workload = workload;
    this.window = window;
    this.owner = LabWorkload.owner(workload, from, name, window);
    this.waiting = LabWorkload.waiting(workload, to, name);
  }

  /**
   * Makes devices and programs, and waits until the owner works and the other one waits.
   *
   * @param name of programs, logs and the DeviceMigration
   */
  static Trial prepare(LabCluster cluster, Path workload, DeviceKind kind, String name)
      throws IOException, InterruptedException {
    return prepare(cluster, workload, kind, name, LabWorkload.Window.USUAL);
  }

  /** The same with that DMA memory. */
  static Trial prepare(
      LabCluster cluster, Path workload, DeviceKind kind, String name, LabWorkload.Window window)
      throws IOException, InterruptedException {
    Trial trial = new Trial(cluster, workload, kind, name, window);
    try {
      trial.awaitOwner();
      // The agent offers a free device when it lists it: by the operator's next inventory.
      trial.waiting.awaitLine("CONNECTED", PROGRAM_BOUND);
      return trial;
    } catch (IOException | InterruptedException | RuntimeException e) {
      trial.close();
      throw e;
    }
  }

  /**
   * The agent opens a free device for a moment to learn what it is; a program that wants it in that
   * moment is refused, and tries again.
   */
  private void awaitOwner() throws IOException, InterruptedException {
    for (int refused = 1; ; refused++) {
      try {
        owner.awaitLine("STEP", PROGRAM_BOUND);
        owner.requireAccess("OPENED");
        return;
      } catch (IOException e) {
        if (refused > MOST_REFUSALS || !owner.refusedAsBusy()) {
          throw e;
        }
        note("owner was refused with EBUSY %d times".formatted(refused));
        owner.end();
        owner = LabWorkload.owner(workload, from, name, window);
      }
    }
  }

  // --- what happens ---

  /** Somebody starts the program again that owns the source's device. */
  void ownerAnew() throws IOException, InterruptedException {
    owner.end();
    owner = LabWorkload.owner(workload, from, name, window);
    awaitOwner();
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
    migration = Migration.apply(cluster.client(), name, from.end(), to.end(), live, manual);
    return this;
  }

  Migration migration() {
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

  /** Succeeded: the destination's program goes on where the source's stood, which is gone. */
  Trial succeeded() throws IOException, InterruptedException {
    migration.awaitPhase("Succeeded");
    evidence.add("phase=Succeeded downtime=" + migration.downtime());
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
      throw new IOException("it needs a person: " + Migration.why(view));
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
    Waiting.until("the source's program is gone", CLEAN_BOUND, LOOK_AGAIN, () -> !owner.alive());
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
      throw new IOException("both programs run: the destination's was given the device as well");
    }
    evidence.add("the source runs on at step " + owner.lastStep());
    requireOneWorked(false);
    return this;
  }

  /** By the trace of our own module, where the devices are its. */
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
    try {
      if (migration != null) {
        migration.delete();
      }
      owner.end();
      waiting.end();
      for (LabDevice device : devices) {
        device.remove();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while the trial was cleared away", e);
    }
  }
}
