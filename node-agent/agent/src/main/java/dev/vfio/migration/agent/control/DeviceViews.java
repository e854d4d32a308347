package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Failures;
import dev.vfio.migration.agent.session.LiveSession;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * One device of this node as the contract lists it: what the device, its workload and its session
 * say. Changes nothing about any of them. Takes as long as they do.
 */
final class DeviceViews {
  /** A workload needs no time to say what it is, only to stand still. */
  private static final Duration MAX_DESCRIPTION = Duration.ofSeconds(2);

  private final DeviceDirectory devices;
  private final Inventory.WorkloadsWithin workloads;
  private final Function<String, LiveSession> sessionOf;
  private final WindowLook windows;
  private final Duration time;

  /** Whether windows could be moved with their device. */
  @FunctionalInterface
  interface WindowLook {
    /**
     * @param pageSize of the device, bytes
     * @return why they could not, null where they could
     */
    String problem(List<dev.vfio.migration.vfio.workload.DmaWindow> windows, int pageSize);
  }

  /**
   * @param sessionOf the session that has claimed a device; null where there is none
   * @param time for device and workload together
   */
  DeviceViews(
      DeviceDirectory devices,
      Inventory.WorkloadsWithin workloads,
      Function<String, LiveSession> sessionOf,
      WindowLook windows,
      Duration time) {
    this.devices = devices;
    this.workloads = workloads;
    this.sessionOf = sessionOf;
    this.windows = windows;
    this.time = time;
  }

  List<String> ids() {
    return devices.ids();
  }

  /**
   * @param named whether somebody asked for this very device: then its workload is asked even where
   *     a session may be talking to it, and given a moment to come
   */
  Optional<Device> look(String id, boolean named) {
    long end = System.nanoTime() + time.toNanos();
    return devices.look(id, named).map(entry -> describe(entry, named, end));
  }

  /** What is known of a device that did not answer, or was not asked. */
  Device unseen(String id, Failure why) {
    Device.Builder device =
        Device.newBuilder().setId(id).setNotMigratable(ContractMapping.failure(why));
    LiveSession session = sessionOf.apply(id);
    if (session != null) {
      addSession(device.setBusy(true), session);
    }
    return device.build();
  }

  private static void addSession(Device.Builder device, LiveSession session) {
    device.setClaimedBy(session.key().toString());
    device.setState(ContractMapping.deviceState(session.snapshot().deviceState()));
  }

  private Device describe(DeviceDirectory.Entry entry, boolean named, long end) {
    LiveSession session = sessionOf.apply(entry.id());
    Device.Builder device = Device.newBuilder().setId(entry.id());
    addPlace(device, entry);
    device.setBusy(entry.busy() || entry.holder() != null || session != null);
    DeviceDescription description = entry.description();
    if (session == null) {
      device.setState(ContractMapping.deviceState(entry.state()));
    } else {
      addSession(device, session);
      description = description == null ? session.device() : description;
    }
    if (description == null) {
      return device.setNotMigratable(ContractMapping.failure(Failures.of(entry.problem()))).build();
    }
    addDescription(device, description);
    Failure objection = objection(entry);
    if (objection != null) {
      return device.setNotMigratable(ContractMapping.failure(objection)).build();
    }
    if (session == null || named) {
      addWorkload(device, named, end);
    }
    if (session == null && entry.state() != null && entry.state().leftOver()) {
      device.setNotMigratable(ContractMapping.failure(leftOver(entry, device.getBusy())));
    }
    return device.build();
  }

  /**
   * Nobody moves the device, and it is not in a state that a reset leads to.
   *
   * @param inUse whether somebody holds or uses it: what is in it may be the only copy, and is not
   *     to be reset on the strength of what we do not know
   */
  private static Failure leftOver(DeviceDirectory.Entry entry, boolean inUse) {
    String found = "the device " + entry.id() + " is in " + entry.state();
    return inUse
        ? Failure.of(
            Reason.DEVICE_BUSY,
            found
                + " though no migration of this agent has it, and it is in use. What is in it may"
                + " be the only copy of its workload's state: do not reset it. See who else"
                + " migrates it, or whether this agent lost its journal")
        : Failure.of(
            Reason.DEVICE_NOT_RESET,
            found
                + ", left there by an earlier migration, and may still hold what a workload had in"
                + " it. Reset it first, once it is certain that nobody needs that any more: "
                + ResetAdvice.of(entry.id()));
  }

  /** What is known of a device even where it does not say what it is itself. */
  private static void addPlace(Device.Builder device, DeviceDirectory.Entry entry) {
    if (entry.place() != null) {
      device
          .setPlace(DeviceMapping.place(entry.place()))
          .setDriverProfile(DeviceMapping.profile(DeviceMapping.profile(entry.place())));
    }
    if (entry.holder() != null) {
      device.setHolder(DeviceMapping.holder(entry.holder()));
    }
  }

  private static void addDescription(Device.Builder device, DeviceDescription description) {
    device
        .setInterface(ContractMapping.migrationInterface(description.migrationInterface()))
        .setModel(description.model())
        .setRegionSize(description.regionSize())
        .setPrecopy(description.precopy())
        .setDirtyPageTracking(description.dirtyPageTracking())
        .setPageSize(description.pageSize());
    if (!description.driver().equals(DriverProfile.NONE)) {
      device.setDriverProfile(DeviceMapping.profile(description.driver()));
    }
  }

  /** Why the device must not be moved though it could be; null where nothing stands against it. */
  private static Failure objection(DeviceDirectory.Entry entry) {
    DeviceHolder holder = entry.holder();
    if (holder == null || !holder.virtualMachineMonitor()) {
      return null;
    }
    return Failure.of(
        Reason.DEVICE_BUSY,
        "it is held by %s (process %s, cgroup %s), which runs a virtual machine and keeps state of"
            + " the device itself: moved behind its back, the guest would break. Migrate the"
            + " virtual machine with its own means (QEMU, libvirt, KubeVirt), which move the device"
            + " with it.",
        holder.command(),
        holder.pid(),
        holder.cgroup());
  }

  private void addWorkload(Device.Builder device, boolean named, long end) {
    try (Workload workload = reached(device.getId(), named, end)) {
      WorkloadDescription said = workload.describe();
      device.setWorkloadState(ContractMapping.workloadState(said.state()));
      if (said.state() == WorkloadState.RUNNING || said.state() == WorkloadState.PAUSED) {
        device.setBusy(true);
      }
      for (var window : said.windows()) {
        device.addDmaWindows(
            DmaWindow.newBuilder()
                .setName(window.name())
                .setIova(window.iova())
                .setSize(window.size()));
      }
      String wrong = windows.problem(said.windows(), device.getPageSize());
      if (wrong != null && device.getClaimedBy().isEmpty()) {
        device.setNotMigratable(
            ContractMapping.failure(
                Failure.of(
                    Reason.MEMORY_UNREACHABLE,
                    "the windows that its workload declares cannot be moved: " + wrong)));
      }
    } catch (IOException problem) {
      // A device without its workload would move without the memory that belongs to it.
      String before =
          device.hasPlace() && !device.getBusy()
              ? "no workload uses it: "
              : "the workload of "
                  + device.getId()
                  + " does not say which memory belongs to the device: ";
      device.setNotMigratable(
          ContractMapping.failure(
              new Failure(
                  Reason.WORKLOAD_UNREACHABLE,
                  before + problem.getMessage(),
                  problem instanceof WorkloadException known ? known.errno() : 0)));
    }
  }

  private Workload reached(String id, boolean named, long end) throws IOException {
    Duration left = Duration.ofNanos(end - System.nanoTime());
    if (left.isNegative() || left.isZero()) {
      throw new WorkloadException(
          Errno.ETIMEDOUT.number(),
          "it was not asked, because the look at the device alone took the "
              + time.toMillis()
              + " ms that there are",
          null);
    }
    Duration limit = left.compareTo(MAX_DESCRIPTION) < 0 ? left : MAX_DESCRIPTION;
    return workloads.within(limit, named).of(id);
  }
}
