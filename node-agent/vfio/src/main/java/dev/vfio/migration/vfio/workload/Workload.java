package dev.vfio.migration.vfio.workload;

import java.io.IOException;
import java.util.List;

/**
 * The workload that uses a device: what the agent asks of it during a migration. Every call is
 * idempotent and names the migration, so that a repeated call after a crash does nothing twice.
 * Safe for use by one thread at a time.
 */
public interface Workload extends AutoCloseable {

  /**
   * What the workload does now, and which DMA memory it wants moved with the device. Changes
   * nothing.
   */
  WorkloadDescription describe() throws IOException;

  /**
   * What the workload does now. Does not check what matters only before a migration: a workload
   * that runs again need not be able to move once more. Changes nothing.
   */
  default WorkloadState state() throws IOException {
    return describe().state();
  }

  /** DMA memory that the workload wants moved with the device. */
  default List<DmaWindow> windows() throws IOException {
    return describe().windows();
  }

  /**
   * Destination, before anything is touched: makes the memory for windows of these shapes where
   * that is the agent's to do, and answers as {@link #describe()} does. A workload that brings its
   * own memory answers with that; the caller compares.
   *
   * @param shapes the windows of the workload at the source
   */
  default WorkloadDescription prepareWindowMemory(List<WindowShape> shapes) throws IOException {
    return describe();
  }

  /**
   * Destination, once everything is loaded and before that is reported: delivers the device and the
   * windows to the waiting workload, which must not use them before {@link #take}. From then on the
   * loaded state outlives this process. Nothing where the device is not the agent's to transfer.
   */
  default void deliver(String migration) throws IOException {}

  /**
   * Destination, between {@link #deliver} and {@link #take}: makes sure that the workload that is
   * to take the device still waits. Changes nothing, and waits for an answer for no more than a few
   * seconds.
   *
   * @throws WorkloadException ESRCH where the workload has ended and cannot take what was loaded
   *     any more; any other errno where it does not answer as it should, which may pass
   */
  default void requireReadyToTake(String migration) throws IOException {
    WorkloadState state = state();
    if (state != WorkloadState.WAITING) {
      throw new WorkloadException(
          0,
          String.format(
              "the workload that waits to take its device for the migration %s says that it is %s"
                  + " and not WAITING",
              migration, state),
          null);
    }
  }

  /**
   * Destination, whenever its device was opened: gets hold again of what an earlier agent gave the
   * workload with {@link #deliver}, so that another one can be given it where the first ends. What
   * cannot be had again is logged. Nothing where nothing was given for that migration, or where it
   * is at hand. Changes nothing about the workload, and asks it nothing.
   */
  default void regain(String migration) {}

  /** Destination, rolled back: the workload gives back what {@link #deliver} gave it. */
  default void giveBack(String migration) throws IOException {}

  /** Returns when the workload no longer touches the device or the windows. */
  void pause(String migration) throws IOException;

  /** Lets a paused workload run on. A workload that is not paused runs on. */
  void resume(String migration) throws IOException;

  /** Destination: device RUNNING and windows loaded; the workload takes both and runs. */
  void take(String migration) throws IOException;

  /** Source, after the handover: the device has left for good; the workload closes it. */
  void release(String migration) throws IOException;

  @Override
  void close();
}
