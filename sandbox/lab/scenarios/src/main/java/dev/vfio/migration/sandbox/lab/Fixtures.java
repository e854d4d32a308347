package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;

/**
 * Devices and programs of one scenario. Used by one thread; when it is closed it ends and removes
 * them, the latest first.
 */
final class Fixtures implements AutoCloseable {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final int MAX_REFUSALS = 3;

  private final Path workload;
  private final String name;
  private final Deque<Undo> undos = new ArrayDeque<>();

  /** Removes something that a scenario made. */
  @FunctionalInterface
  interface Undo {
    void run() throws IOException, InterruptedException;
  }

  /**
   * @param workload the program, as the guests see it
   * @param name the scenario's, for programs and logs
   */
  Fixtures(Path workload, String name) {
    this.workload = workload;
    this.name = name;
  }

  /** Runs {@code undo} when these fixtures are closed, the last one first. */
  void atTheEnd(Undo undo) {
    undos.push(undo);
  }

  /** A new device that nobody holds. */
  LabDevice device(GuestNode node, DeviceKind kind) throws IOException, InterruptedException {
    LabDevice device = LabDevice.create(node, kind, UUID.randomUUID().toString());
    atTheEnd(device::remove);
    return device;
  }

  /** A program that owns the device and works with it. */
  LabWorkload owner(LabDevice device, String what) throws IOException, InterruptedException {
    return owner(workload, device, what, LabWorkload.Window.USUAL, "");
  }

  /**
   * The same, with another executable, DMA memory or further options. The agent opens a free device
   * for a moment to learn what it is; a program that wants it in that moment is refused, and is
   * started again.
   */
  LabWorkload owner(
      Path binary, LabDevice device, String what, LabWorkload.Window window, String options)
      throws IOException, InterruptedException {
    String program = name + "-" + what;
    atTheEnd(() -> device.node().endProgram(program));
    for (int refused = 1; ; refused++) {
      LabWorkload owner = LabWorkload.owner(binary, device, program, window, options);
      try {
        owner.awaitLine("STEP", BOUND);
        owner.requireAccess("OPENED");
        return owner;
      } catch (IOException e) {
        if (refused > MAX_REFUSALS || !owner.refusedAsBusy()) {
          throw e;
        }
        owner.end();
      }
    }
  }

  /** Starts a program that waits for the device; the agent need not accept it. */
  LabWorkload waiting(LabDevice device, String what) throws IOException, InterruptedException {
    String program = name + "-" + what;
    atTheEnd(() -> device.node().endProgram(program));
    return LabWorkload.waiting(workload, device, program, "");
  }

  /** The same, as a user other than root. */
  LabWorkload waitingAs(int user, LabDevice device, String what)
      throws IOException, InterruptedException {
    String program = name + "-" + what;
    atTheEnd(() -> device.node().endProgram(program));
    return LabWorkload.waiting(
        workload,
        device,
        program,
        "setpriv --reuid %1$d --regid %1$d --clear-groups ".formatted(user));
  }

  /** Any other program, in a cgroup of its own. */
  void program(GuestNode node, String what, String script)
      throws IOException, InterruptedException {
    String program = name + "-" + what;
    atTheEnd(() -> node.endProgram(program));
    node.launch(program, script);
  }

  @Override
  public void close() throws IOException {
    IOException trouble = null;
    while (!undos.isEmpty()) {
      try {
        undos.pop().run();
      } catch (IOException e) {
        if (trouble == null) {
          trouble = e;
        } else {
          trouble.addSuppressed(e);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while " + name + " was cleared up", e);
      }
    }
    if (trouble != null) {
      throw trouble;
    }
  }
}
