package dev.vfio.migration.agent.session.simulated;

import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The workload of one node. Outlives the agent. */
final class ModelWorkload {
  enum State {
    RUNNING,
    PAUSED,
    WAITING,
    RELEASED,
    DEAD
  }

  private static final int ESRCH = 3;

  private final Node node;
  private final Chance chance;
  private State state;
  private long windowIova = ModelDevice.IOVA;

  ModelWorkload(Node node, Chance chance, State state) {
    this.node = node;
    this.chance = chance;
    this.state = state;
  }

  State state() {
    return state;
  }

  /** From here on it declares its window at another address than it was inspected with. */
  void moveWindow() {
    windowIova += ModelDevice.PAGE_BYTES;
  }

  Workload reach() {
    return new Reached();
  }

  /** Its process ends. */
  void die() {
    state = State.DEAD;
    node.world().destinationDied("workload");
    node.device().heldByWorkload(false);
  }

  private void become(State target) {
    state = target;
    node.world().workloadMoved(node, target);
    node.mayCrash();
  }

  private final class Reached implements Workload {
    private void check() throws IOException {
      node.mayCrash();
      if (state == State.DEAD) {
        throw new WorkloadException(ESRCH, "the workload of " + node + " has ended", null);
      }
      if (chance.fault(30)) {
        throw new IOException("the workload of " + node + " does not answer");
      }
    }

    @Override
    public WorkloadDescription describe() throws IOException {
      check();
      return new WorkloadDescription(
          "model",
          WorkloadState.valueOf(state.name()),
          ModelDevice.ID,
          List.of(
              new DmaWindow(
                  "ring",
                  windowIova,
                  (long) ModelDevice.PAGES * ModelDevice.PAGE_BYTES,
                  Path.of("ring"),
                  true)));
    }

    @Override
    public void pause(String migration) throws IOException {
      check();
      if (state == State.RUNNING) {
        become(State.PAUSED);
      }
    }

    @Override
    public void resume(String migration) throws IOException {
      check();
      if (state == State.PAUSED) {
        become(State.RUNNING);
      }
    }

    @Override
    public void take(String migration) throws IOException {
      check();
      if (state == State.WAITING) {
        become(State.RUNNING);
      }
    }

    @Override
    public void receive(String migration) throws IOException {
      check();
      if (state != State.WAITING) {
        throw new AssertionError("a workload that is " + state + " is given a device");
      }
      node.device().heldByWorkload(true);
      node.mayCrash();
    }

    @Override
    public void giveBack(String migration) throws IOException {
      if (state == State.DEAD) {
        // Nobody is left to ask.
        return;
      }
      check();
      if (state == State.WAITING) {
        node.device().heldByWorkload(false);
      }
      node.mayCrash();
    }

    @Override
    public void release(String migration) throws IOException {
      check();
      node.device().heldByWorkload(false);
      become(State.RELEASED);
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
