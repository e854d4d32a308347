package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;

/**
 * Devices and programs for scenarios that need others than a migration's usual ones. Used by one
 * thread; closed it takes them away again, the latest first.
 */
final class Props implements AutoCloseable {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final int MOST_REFUSALS = 3;

  private final Path workload;
  private final String name;
  private final Deque<Undo> undos = new ArrayDeque<>();

  /** Takes something away. */
  @FunctionalInterface
  interface Undo {
    void run() throws IOException, InterruptedException;
  }

  /**
   * @param workload the program, as the guests see it
   * @param name the scenario's, for programs and logs
   */
  Props(Path workload, String name) {
    this.workload = workload;
    this.name = name;
  }

  /** Has something done when these are closed. */
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
    return owner(workload, device, what, "");
  }

  /**
   * The same, with another executable or further options. It is started again where the agent's own
   * look at the free device kept it out.
   */
  LabWorkload owner(Path binary, LabDevice device, String what, String options)
      throws IOException, InterruptedException {
    String program = name + "-" + what;
    atTheEnd(() -> device.node().endProgram(program));
    for (int refused = 1; ; refused++) {
      LabWorkload owner = LabWorkload.owner(binary, device, program, options);
      try {
        owner.awaitLine("STEP", BOUND);
        return owner;
      } catch (IOException e) {
        if (refused > MOST_REFUSALS || !owner.refusedAsBusy()) {
          throw e;
        }
        owner.end();
      }
    }
  }

  /** A program that waits for the device; it need not be let in. */
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
        throw new IOException("interrupted while " + name + " was cleared away", e);
      }
    }
    if (trouble != null) {
      throw trouble;
    }
  }
}
