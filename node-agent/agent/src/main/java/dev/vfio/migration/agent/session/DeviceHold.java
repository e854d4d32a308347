package dev.vfio.migration.agent.session;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;

/**
 * A session's hold on its device and its workload. Owned by the session's thread; only {@link
 * #description()} is for any thread.
 */
final class DeviceHold {
  private final String id;
  private final MigrationEnd end;
  private final String migration;
  private final DeviceDirectory devices;
  private final Workloads workloads;
  private MigratableDevice device;
  private Continuity continuity = Continuity.UNKNOWN;
  private Workload workload;
  private volatile DeviceDescription description;

  DeviceHold(
      String id, MigrationEnd end, String migration, DeviceDirectory devices, Workloads workloads) {
    this.id = id;
    this.end = end;
    this.migration = migration;
    this.devices = devices;
    this.workloads = workloads;
  }

  /** Opens the device; one that is open is closed first. */
  MigratableDevice open() throws DeviceException {
    closeDevice();
    device = devices.open(id, end, migration);
    continuity = devices.continuity(id);
    description = device.description();
    return device;
  }

  MigratableDevice device() throws DeviceException {
    if (device == null) {
      throw new DeviceException(
          DeviceException.Kind.UNREACHABLE, 0, "the device " + id + " is not open");
    }
    return device;
  }

  /** The state of the open device, null where it does not report it. */
  DeviceState state() throws DeviceException {
    return device().stateKnown() ? device().state() : null;
  }

  /** What is known of the open device's time before it was opened. */
  Continuity continuity() {
    return continuity;
  }

  /** Whether somebody else has held the open device all the time. */
  boolean kept() {
    return continuity == Continuity.KEPT;
  }

  /** Whether somebody beside this agent uses the open device now. */
  boolean heldByOthers() throws DeviceException {
    return continuity == Continuity.UNKNOWN ? usedByWorkload() : devices.heldByOthers(id);
  }

  /** Whether the workload itself says so; one that does not answer counts as ended. */
  private boolean usedByWorkload() {
    try {
      WorkloadState state = workload().state();
      return state == WorkloadState.RUNNING || state == WorkloadState.PAUSED;
    } catch (IOException gone) {
      dropWorkload();
      return false;
    }
  }

  /** The workload; reached anew after {@link #dropWorkload()}. */
  Workload workload() throws IOException {
    if (workload == null) {
      workload = workloads.of(id);
    }
    return workload;
  }

  /** Done once the workload itself says that it runs. */
  void resumeWorkload(String migration) throws IOException {
    workload().resume(migration);
    requireRunning("resume");
  }

  /** Done once the workload itself says that it runs. */
  void letWorkloadTake(String migration) throws IOException {
    workload().take(migration);
    requireRunning("take");
  }

  /**
   * Destination: where a process has held the device all the time, gets hold again of what an
   * earlier agent gave it beside the device.
   */
  void regain(String migration) {
    if (kept()) {
      try {
        workload().regain(migration);
      } catch (IOException outOfReach) {
        // The workload that has it can take the device without that.
        dropWorkload();
      }
    }
  }

  /** The device holds what was loaded, and its workload is there to take it. Changes nothing. */
  void requireLoaded(String migration) throws IOException {
    device().requireLoaded();
    workload().requireReadyToTake(migration);
  }

  /**
   * A workload that refuses and says that it waits counts as released: it closed the device before,
   * and the device was reset.
   */
  void releaseWorkload(String migration) throws IOException {
    try {
      workload().release(migration);
    } catch (WorkloadException refused) {
      if (workload().state() != WorkloadState.WAITING) {
        throw refused;
      }
    }
  }

  private void requireRunning(String asked) throws IOException {
    WorkloadState state = workload().state();
    if (state != WorkloadState.RUNNING) {
      throw new WorkloadException(
          0,
          String.format(
              "the workload of %s answered \"%s\" as done and says that it is %s and not RUNNING",
              id, asked, state),
          null);
    }
  }

  /** The workload failed: the next try reaches for it anew. */
  void dropWorkload() {
    if (workload != null) {
      workload.close();
      workload = null;
    }
  }

  /** What the open device is, null where it is not open. */
  DeviceDescription description() {
    return description;
  }

  private void closeDevice() {
    if (device != null) {
      device.close();
      device = null;
      description = null;
    }
  }

  /** Closes the device and the connection to the workload, and changes nothing about them. */
  void close() {
    closeDevice();
    dropWorkload();
  }
}
