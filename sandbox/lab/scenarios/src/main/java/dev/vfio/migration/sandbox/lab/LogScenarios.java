package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What a device's log of the memory it writes saves, and how a migration ends when the log was
 * promised and is refused. Used by one thread.
 */
record LogScenarios(LabCluster cluster) {
  /** So much that the pages written in a slow guest's pre-copy are few of it. */
  private static final LabWorkload.Window WINDOW = new LabWorkload.Window(8 << 20, true);

  private static final int STEPS_MEANWHILE = 5;
  private static final Duration STEPS_BOUND = Duration.ofSeconds(120);
  private static final int NOT_SUPPORTED = 95;
  private static final int NO_ROOM = 28;

  /** The scenarios, for a kernel that has the device. */
  List<Scenarios.Scenario> all() {
    String label = DeviceKind.FEATURE_V2_OURS.label();
    return List.of(
        new Scenarios.Scenario(label + " log promised and refused", false, this::refused),
        new Scenarios.Scenario(label + " log works", false, this::works));
  }

  /**
   * Once the log starts and cannot be read, once it does not even start. Where the kernel itself
   * keeps no log, the first is its own doing.
   */
  private String refused(String name) throws IOException, InterruptedException {
    String unread;
    try (Trial trial = trial(name + "-unread")) {
      Optional<String> kernel = whyUnreadable(trial.from().node());
      if (kernel.isPresent()) {
        unread = migrateUnlogged(trial, 0, "by the kernel: " + kernel.get());
      } else {
        try (DeviceFaults fault = DeviceFaults.logCannotBeRead(trial.from(), NOT_SUPPORTED)) {
          unread = migrateUnlogged(trial, 0, fault.description());
        }
      }
    }
    try (Trial trial = trial(name + "-unstarted");
        DeviceFaults fault = DeviceFaults.logDoesNotStart(trial.from(), NO_ROOM)) {
      return "reading refused %s; starting refused %s"
          .formatted(unread, migrateUnlogged(trial, -NO_ROOM, fault.description()));
    }
  }

  /** Nobody knows what the device wrote, so everything goes a second time while it stands still. */
  private String migrateUnlogged(Trial trial, int started, String refusal)
      throws IOException, InterruptedException {
    Copied copied = migrate(trial, started);
    if (copied.again() < WINDOW.bytes()) {
      throw new IOException(
          "the log was refused, and yet of %d bytes of memory only %d were sent again"
              .formatted(WINDOW.bytes(), copied.again()));
    }
    return "(%s): %s; %s".formatted(refusal, copied, trial.evidence());
  }

  private String works(String name) throws IOException, InterruptedException {
    Optional<String> kernel = whyUnreadable(cluster.source());
    if (kernel.isPresent()) {
      throw new SkippedException(kernel.get());
    }
    try (Trial trial = trial(name)) {
      Copied copied = migrate(trial, 0);
      if (copied.again() <= 0 || copied.again() >= WINDOW.bytes()) {
        throw new IOException(
            "of %d bytes of memory %d were sent again; with a log it is some and not all"
                .formatted(WINDOW.bytes(), copied.again()));
      }
      return "%s; %s".formatted(copied, trial.evidence());
    }
  }

  private Trial trial(String name) throws IOException, InterruptedException {
    return Trial.prepare(cluster, DeviceKind.FEATURE_V2_OURS, name, WINDOW);
  }

  /** Live, with steps while it is copied; the device's trace must have the start of the log. */
  private static Copied migrate(Trial trial, int started) throws IOException, InterruptedException {
    trial.heldInPrecopy().owner().awaitSteps(STEPS_MEANWHILE, STEPS_BOUND);
    trial.migration().switchOver();
    trial.succeeded();
    DeviceTrace trace = DeviceTrace.of(trial.from());
    List<Integer> starts = trace.results("log-start");
    if (!starts.equals(List.of(started))) {
      throw new IOException(
          "the device's log should have been started once with %d, and was with %s"
              .formatted(started, starts));
    }
    return new Copied(
        trial.migration().view().transferredBytes(),
        trace.sent(),
        trial.migration().view().dirtyPages());
  }

  /**
   * What a migration has moved.
   *
   * @param bytes of state and memory
   * @param state bytes of the device's state
   * @param pages that the device reported as written
   */
  private record Copied(long bytes, long state, long pages) {
    /** Bytes of memory that were sent after all of it had been sent once. */
    long again() {
      return bytes - state - WINDOW.bytes();
    }

    @Override
    public String toString() {
      return "%d bytes of memory sent once and %d again, %d pages reported by the device"
          .formatted(WINDOW.bytes(), again(), pages);
    }
  }

  /**
   * Why the guest's kernel lets nobody read a log, whatever the driver does; empty where it does.
   */
  private static Optional<String> whyUnreadable(GuestNode node)
      throws IOException, InterruptedException {
    String release = node.run("uname -r").get(0).strip();
    if (DeviceKind.versionOf(release) < DeviceKind.LOG_NEEDS_IOMMUFD
        || node.holds("test -e /dev/iommu")) {
      return Optional.empty();
    }
    return Optional.of(
        "Linux "
            + release
            + " without iommufd starts a log and answers EOPNOTSUPP when it is read");
  }
}
