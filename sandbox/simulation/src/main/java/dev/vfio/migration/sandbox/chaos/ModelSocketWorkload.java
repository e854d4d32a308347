package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;

/**
 * A workload that waits for a device that a process serves by vfio-user: the device is the
 * server's, and the memory the workload's own. For which process it was loaded is on a disk that
 * stays.
 */
final class ModelSocketWorkload extends ModelWorkload {
  private static final int ESRCH = 3;
  private static final int NONE = 0;

  private final Node node;
  private final Chance chance;
  private long process = 1;
  private boolean lives = true;
  private boolean uses;

  /** On the disk. */
  private String loadedFor = "";

  private long receiver = NONE;

  ModelSocketWorkload(Node node, Chance chance) {
    super(node, chance, State.WAITING);
    this.node = node;
    this.chance = chance;
  }

  @Override
  State state() {
    if (!lives) {
      return State.DEAD;
    }
    return uses ? State.RUNNING : State.WAITING;
  }

  @Override
  Workload reach() {
    return new Reached();
  }

  @Override
  void die() {
    lives = false;
    uses = false;
    node.world().destinationDied("workload");
  }

  /** Another process waits in its place at once. */
  @Override
  void receiverDies() {
    die();
    lives = true;
    process++;
  }

  @Override
  void deviceOpened() {
    reopened();
  }

  /** As the agent's own way to such a workload. */
  private final class Reached implements Workload {
    private long first = NONE;

    private void check() throws IOException {
      node.mayCrash();
      if (!lives) {
        throw new WorkloadException(ESRCH, "nobody listens there any more", null);
      }
      if (chance.fault(30)) {
        throw new IOException("the workload of " + node + " does not answer");
      }
      first = first == NONE ? process : first;
    }

    private void requireReceiver(String migration, long known) throws IOException {
      if (known != NONE && known != process) {
        throw new WorkloadException(
            ESRCH, "it was started anew and does not have what was loaded for " + migration, null);
      }
    }

    private long receiverFor(String migration) {
      return loadedFor.equals(migration) ? receiver : NONE;
    }

    @Override
    public WorkloadDescription describe() throws IOException {
      check();
      return described(uses ? WorkloadState.RUNNING : WorkloadState.WAITING);
    }

    @Override
    public void deliver(String migration) throws IOException {
      check();
      requireReceiver(migration, first);
      node.mayCrash();
      loadedFor = migration;
      receiver = process;
      node.mayCrash();
    }

    @Override
    public void requireReadyToTake(String migration) throws IOException {
      check();
      requireReceiver(migration, first);
      requireReceiver(migration, receiverFor(migration));
      Workload.super.requireReadyToTake(migration);
    }

    @Override
    public void take(String migration) throws IOException {
      check();
      requireReceiver(migration, receiverFor(migration));
      if (!uses) {
        node.world().toldToTake(node);
        uses = true;
        node.world().workloadMoved(node, State.RUNNING);
      }
      node.mayCrash();
    }

    @Override
    public void pause(String migration) {
      throw new AssertionError("a workload that waits is paused");
    }

    @Override
    public void resume(String migration) {
      throw new AssertionError("a workload that waits is resumed");
    }

    @Override
    public void release(String migration) {
      throw new AssertionError("a workload that waits is released");
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
