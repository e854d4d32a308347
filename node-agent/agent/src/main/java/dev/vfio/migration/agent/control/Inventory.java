package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.session.Failure;
import dev.vfio.migration.agent.session.LiveSession;
import dev.vfio.migration.agent.session.Reason;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/** The devices of this node as the contract lists them. Changes nothing about any of them. */
public final class Inventory {
  private final DeviceDirectory devices;
  private final Workloads workloads;
  private final Workloads expected;
  private final Function<String, LiveSession> sessionOf;
  private final AtomicReference<CompletableFuture<List<Device>>> listing = new AtomicReference<>();

  /**
   * @param workloads that are not waited for
   * @param expected for who asks for one device by its name: a workload that is about to come for
   *     it is given a moment
   */
  public Inventory(
      DeviceDirectory devices, Workloads workloads, Workloads expected, Sessions sessions) {
    this(devices, workloads, expected, sessions::holderOf);
  }

  /**
   * @param sessionOf the session that has claimed a device; null where there is none
   */
  Inventory(DeviceDirectory devices, Workloads workloads, Function<String, LiveSession> sessionOf) {
    this(devices, workloads, workloads, sessionOf);
  }

  private Inventory(
      DeviceDirectory devices,
      Workloads workloads,
      Workloads expected,
      Function<String, LiveSession> sessionOf) {
    this.devices = devices;
    this.workloads = workloads;
    this.expected = expected;
    this.sessionOf = sessionOf;
  }

  /**
   * @param id of the only device that is looked at; empty for all
   */
  List<Device> list(String id) {
    if (!id.isEmpty()) {
      return devices.look(id).map(entry -> describe(entry, true)).stream().toList();
    }
    return listAll();
  }

  /** Who asks while all are being looked at gets what that look finds: looks do not pile up. */
  private List<Device> listAll() {
    CompletableFuture<List<Device>> own = new CompletableFuture<>();
    CompletableFuture<List<Device>> underWay = listing.compareAndExchange(null, own);
    if (underWay != null) {
      return underWay.join();
    }
    try {
      // One workload that does not answer keeps the others from nothing.
      own.complete(devices.list().parallelStream().map(entry -> describe(entry, false)).toList());
    } catch (RuntimeException | Error failure) {
      own.completeExceptionally(failure);
    } finally {
      listing.set(null);
    }
    return own.join();
  }

  /**
   * @param always ask the workload even where a session may be talking to it, and give it a moment
   */
  private Device describe(DeviceDirectory.Entry entry, boolean always) {
    LiveSession session = sessionOf.apply(entry.id());
    Device.Builder device = Device.newBuilder().setId(entry.id());
    addPlace(device, entry);
    device.setBusy(entry.busy() || entry.holder() != null || session != null);
    DeviceDescription description = entry.description();
    if (session == null) {
      device.setState(ContractMapping.deviceState(entry.state()));
    } else {
      device.setClaimedBy(session.key().toString());
      device.setState(ContractMapping.deviceState(session.snapshot().deviceState()));
      description = description == null ? session.device() : description;
    }
    if (description == null) {
      return device.setNotMigratable(ContractMapping.failure(Failure.of(entry.problem()))).build();
    }
    addDescription(device, description);
    Failure objection = objection(entry);
    if (objection != null) {
      return device.setNotMigratable(ContractMapping.failure(objection)).build();
    }
    if (session == null || always) {
      addWorkload(device, always ? expected : workloads);
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

  /** What can be told of a device even where it does not say what it is itself. */
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
        "it is held by "
            + holder.command()
            + " (process "
            + holder.pid()
            + ", cgroup "
            + holder.cgroup()
            + "), which runs a virtual machine and keeps state of the device itself: moved behind"
            + " its back, the guest would break. Migrate the virtual machine with its own means"
            + " (QEMU, libvirt, KubeVirt), which move the device with it.");
  }

  private static void addWorkload(Device.Builder device, Workloads workloads) {
    try (Workload workload = workloads.of(device.getId())) {
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
              Failure.of(Reason.WORKLOAD_UNREACHABLE, before + problem.getMessage())));
    }
  }
}
