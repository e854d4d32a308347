package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The workload of one node, which uses its device. Outlives the agent. */
class ModelWorkload {
  enum State {
    RUNNING,
    PAUSED,
    WAITING,
    RELEASED,
    DEAD
  }

  private final Node node;
  private final Chance chance;
  private State state;
  private Runnable onceReopened = () -> {};
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

  /**
   * What its device's directory says of a device that is opened now.
   *
   * @param held whether a workload has it open
   */
  Continuity continuity(boolean held) {
    return Continuity.UNKNOWN;
  }

  /** Its process ends. */
  void die() {
    throw new AssertionError("the workload of a source does not die here");
  }

  /** The process that received the device ends, where there is one. */
  void receiverDies() {
    die();
  }

  /** A connection to the agent breaks, where there is one. */
  void hangUp() {
    // It is not connected.
  }

  /** Planned: happens when an agent has opened the device that an earlier one had open. */
  void onceReopened(Runnable fate) {
    onceReopened = fate;
  }

  /** An agent has opened its device. */
  void deviceOpened() {
    // It does not know of the agent.
  }

  final void reopened() {
    Runnable fate = onceReopened;
    onceReopened = () -> {};
    fate.run();
  }

  void agentStarts() {
    // It does not know of the agent.
  }

  void agentEnds() {
    // It does not know of the agent.
  }

  WorkloadDescription described(WorkloadState as) {
    return new WorkloadDescription(
        "model",
        as,
        ModelDevice.ID,
        List.of(
            new DmaWindow(
                "ring",
                windowIova,
                (long) ModelDevice.PAGES * ModelDevice.PAGE_BYTES,
                Path.of("ring"),
                true)));
  }

  private void become(State target) {
    state = target;
    node.world().workloadMoved(node, target);
    node.mayCrash();
  }

  private final class Reached implements Workload {
    private void check() throws IOException {
      node.mayCrash();
      if (chance.fault(30)) {
        throw new IOException("the workload of " + node + " does not answer");
      }
    }

    @Override
    public WorkloadDescription describe() throws IOException {
      check();
      return described(WorkloadState.valueOf(state.name()));
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
    public void take(String migration) {
      throw new AssertionError("a workload that uses its device is told to take it");
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
