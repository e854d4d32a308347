package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.session.Compatibility;
import dev.vfio.migration.agent.session.Failure;
import dev.vfio.migration.agent.session.LiveSession;
import dev.vfio.migration.agent.session.Reason;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import java.io.IOException;
import java.util.List;

/** The devices of this node as the contract lists them. Changes nothing about any of them. */
public final class Inventory {
  private final DeviceDirectory devices;
  private final Workloads workloads;
  private final Sessions sessions;

  public Inventory(DeviceDirectory devices, Workloads workloads, Sessions sessions) {
    this.devices = devices;
    this.workloads = workloads;
    this.sessions = sessions;
  }

  /**
   * @param id of the only device that is looked at; empty for all
   */
  List<Device> list(String id) {
    if (!id.isEmpty()) {
      return devices.look(id).map(this::describe).stream().toList();
    }
    // One workload that does not answer keeps the others from nothing.
    return devices.list().parallelStream().map(this::describe).toList();
  }

  private Device describe(DeviceDirectory.Entry entry) {
    Device.Builder device = Device.newBuilder().setId(entry.id());
    LiveSession holder = sessions.holderOf(entry.id());
    DeviceDescription description = entry.description();
    if (holder != null) {
      device.setClaimedBy(holder.key().toString());
      device.setState(ContractMapping.deviceState(holder.snapshot().deviceState()));
      description = description == null ? holder.device() : description;
    }
    if (holder == null) {
      device.setState(ContractMapping.deviceState(entry.state()));
    }
    if (description == null) {
      return device.setNotMigratable(ContractMapping.failure(Failure.of(entry.problem()))).build();
    }
    String tooLarge = Compatibility.tooLarge(description);
    if (tooLarge != null) {
      device.setNotMigratable(
          ContractMapping.failure(Failure.of(Reason.NO_MIGRATION_REGION, tooLarge)));
    }
    addWorkload(device);
    return device
        .setInterface(ContractMapping.migrationInterface(description.migrationInterface()))
        .setModel(description.model())
        .setRegionSize(description.regionSize())
        .setPrecopy(description.precopy())
        .setDirtyPageTracking(description.dirtyPageTracking())
        .setPageSize(description.pageSize())
        .build();
  }

  private void addWorkload(Device.Builder device) {
    try (Workload workload = workloads.of(device.getId())) {
      WorkloadDescription said = workload.describe();
      device.setWorkloadState(ContractMapping.workloadState(said.state()));
      for (var window : said.windows()) {
        device.addDmaWindows(
            DmaWindow.newBuilder()
                .setName(window.name())
                .setIova(window.iova())
                .setSize(window.size()));
      }
    } catch (IOException problem) {
      // A device without its workload would move without the memory that belongs to it.
      device.setNotMigratable(
          ContractMapping.failure(
              Failure.of(
                  Reason.WORKLOAD_UNREACHABLE,
                  "the workload of "
                      + device.getId()
                      + " does not say which memory belongs to the device: "
                      + problem.getMessage())));
    }
  }
}
