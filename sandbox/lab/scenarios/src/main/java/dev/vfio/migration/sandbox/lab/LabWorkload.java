package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.process.ProcessLog;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The program that uses a device in a guest, or waits for one. What it prints is the evidence. */
final class LabWorkload {
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);
  private static final Pattern STEP = Pattern.compile("STEP (\\d+).*");
  private static final Pattern TAKEN = Pattern.compile("TAKEN first-step (\\d+).*");

  /**
   * DMA memory that moves with the device.
   *
   * @param bytes whole pages
   * @param logged whether the device's log covers everybody who writes to it
   */
  record Window(long bytes, boolean logged) {
    /** A small one, which is copied whole once more while nothing runs. */
    static final Window USUAL = new Window(262_144, false);

    private String option() {
      return "ring:0x100000000:" + bytes + (logged ? ":logged" : "");
    }
  }

  private final GuestNode node;
  private final String program;
  private final ProcessLog log;
  private long pid;

  private LabWorkload(GuestNode node, String program) {
    this.node = node;
    this.program = program;
    this.log = new ProcessLog(node.log(program));
  }

  /**
   * Starts the program that owns the device.
   *
   * @param options further ones of the program
   */
  static LabWorkload owner(
      Path binary, LabDevice device, String program, Window window, String options)
      throws IOException, InterruptedException {
    String role = device.node().cdev() ? "owner --cdev" : "owner";
    return start(Shell.quoted(binary), role, device, program, window, options);
  }

  /**
   * Starts the program that waits for the device.
   *
   * @param by what starts it, with a space behind it; empty for root
   */
  static LabWorkload waiting(Path binary, LabDevice device, String program, String by)
      throws IOException, InterruptedException {
    return start(by + Shell.quoted(binary), "waiting", device, program, Window.USUAL, "");
  }

  private static LabWorkload start(
      String command, String role, LabDevice device, String program, Window window, String options)
      throws IOException, InterruptedException {
    GuestNode node = device.node();
    LabWorkload workload = new LabWorkload(node, program);
    // What an earlier run printed is no evidence.
    Files.deleteIfExists(workload.log.file());
    workload.pid =
        node.launch(
            program,
            "exec %s %s --name %s --device %s --directory %s --window %s --interval 200 %s"
                .formatted(
                    command,
                    role,
                    program,
                    device.id(),
                    Shell.quoted(node.handoverDirectory()),
                    window.option(),
                    options));
    return workload;
  }

  /** Everything that it printed so far; the last line only where it is complete. */
  List<String> lines() throws IOException {
    return log.lines();
  }

  long lastStep() throws IOException {
    long last = 0;
    for (String line : lines()) {
      Matcher step = STEP.matcher(line);
      if (step.matches()) {
        last = Long.parseLong(step.group(1));
      }
    }
    return last;
  }

  /** The first step that it made with a device that was transferred to it. */
  OptionalLong firstStepTaken() throws IOException {
    for (String line : lines()) {
      Matcher taken = TAKEN.matcher(line);
      if (taken.matches()) {
        return OptionalLong.of(Long.parseLong(taken.group(1)));
      }
    }
    return OptionalLong.empty();
  }

  /**
   * The workload's line that says that its device's continuity is broken, or that it failed itself.
   */
  Optional<String> broken() throws IOException {
    return lines().stream()
        .filter(line -> line.startsWith("CONTINUITY broken") || line.startsWith("ERROR"))
        .findFirst();
  }

  /** Whether the program ended because another process had its device. */
  boolean refusedAsBusy() throws IOException {
    return broken()
        .filter(
            line ->
                line.contains("Device or resource busy")
                    // What the kernel answers where a device is in use by its own node.
                    || line.contains("VFIO_DEVICE_BIND_IOMMUFD: Invalid argument"))
        .isPresent();
  }

  /** The last line that begins so says that the device came the way that its node is set to. */
  void requireAccess(String beginning) throws IOException {
    String access = node.cdev() ? "access=cdev" : "access=group";
    List<String> said = lines().stream().filter(line -> line.startsWith(beginning)).toList();
    if (said.isEmpty() || !List.of(said.get(said.size() - 1).split(" ")).contains(access)) {
      throw new IOException(
          "%s on %s should have said %s with %s; it said %s"
              .formatted(program, node.name(), beginning, access, said));
    }
  }

  /** Waits for a line that begins so. */
  void awaitLine(String beginning, Duration bound) throws IOException, InterruptedException {
    try {
      Waiting.until(
          "%s on %s prints %s".formatted(program, node.name(), beginning),
          bound,
          LOOK_AGAIN,
          () -> printed(beginning) || !mustBeAlive());
    } catch (IOException e) {
      throw new IOException(e.getMessage() + log.ending(), e);
    }
  }

  /** Waits until it makes that many further steps. */
  void awaitSteps(int further, Duration bound) throws IOException, InterruptedException {
    long from = lastStep();
    Waiting.until(
        "%s on %s goes on from step %d".formatted(program, node.name(), from),
        bound,
        LOOK_AGAIN,
        () -> lastStep() >= from + further);
  }

  /** Whether the program has printed a line that begins so. */
  boolean printed(String beginning) throws IOException {
    return lines().stream().anyMatch(line -> line.startsWith(beginning));
  }

  private boolean mustBeAlive() throws IOException, InterruptedException {
    if (!alive()) {
      throw new IOException("%s on %s has ended".formatted(program, node.name()));
    }
    return true;
  }

  /** Whether the program still runs, frozen or not. */
  boolean alive() throws IOException, InterruptedException {
    return node.holds("grep -q 'populated 1' %s/cgroup.events".formatted(node.cgroup(program)));
  }

  boolean frozen() throws IOException, InterruptedException {
    return node.holds("grep -q 'frozen 1' %s/cgroup.events".formatted(node.cgroup(program)));
  }

  /** How many lines it has printed that begin so. */
  long timesPrinted(String beginning) throws IOException {
    return lines().stream().filter(line -> line.startsWith(beginning)).count();
  }

  /** SIGSTOP: it keeps what it holds, and answers nobody. */
  void suspend() throws IOException, InterruptedException {
    node.run("kill -STOP " + pid);
  }

  /** SIGCONT. */
  void proceed() throws IOException, InterruptedException {
    node.run("kill -CONT " + pid);
  }

  /** SIGKILL, frozen or not; returns when it has ended. */
  void kill() throws IOException, InterruptedException {
    node.run("kill -9 " + pid);
    Waiting.until(
        "the killed %s on %s has ended".formatted(program, node.name()),
        GuestNode.COMMAND_BOUND,
        LOOK_AGAIN,
        () -> !alive());
  }

  /** Ends it, frozen or not. */
  void end() throws IOException, InterruptedException {
    node.endProgram(program);
  }
}
