package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.transfer.machine.HolderView;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Looks at a device of the kernel and at the processes of this node. */
final class KernelDeviceLookups implements DeviceLookups {
  private final NodeDevice device;
  private final KernelWorkload.NodeParts parts;

  KernelDeviceLookups(NodeDevice device, KernelWorkload.NodeParts parts) {
    this.device = device;
    this.parts = parts;
  }

  static HolderView view(Holder holder) {
    return new HolderView(
        holder.process(),
        holder.startTime(),
        holder.name(),
        holder.together(),
        holder.virtualMachineMonitor(),
        holder.otherDevices());
  }

  /**
   * Who was judged before the decision may be several by now, and has the device all the same: it
   * is open in this agent, and they have that very file.
   */
  @Override
  public TransferEvent holder() {
    try {
      return new TransferEvent.HolderSeen(parts.holder(device).map(KernelDeviceLookups::view));
    } catch (DeviceException unclear) {
      return new TransferEvent.HolderUnclear(
          unclear,
          unclear.kind() == DeviceException.Kind.BUSY
              && parts.devices().open(device.id()).isPresent());
    }
  }

  @Override
  public boolean lives(long process, long startTime) throws IOException {
    return parts.holders().processes().lives(process, startTime);
  }

  @Override
  public long startTime(long process) throws IOException {
    return parts.holders().processes().startTime(process).orElse(0);
  }

  @Override
  public Optional<String> objection(long process) throws IOException {
    return parts.holders().objection(device, process);
  }

  @Override
  public WorkloadRequest deliverRequest(String migration) throws IOException {
    DeviceDescriptors open =
        parts
            .devices()
            .open(device.id())
            .orElseThrow(
                () ->
                    undeliverable(
                        Errno.ENODEV,
                        "it is not open in this agent: what was loaded for the migration "
                            + migration
                            + " is lost, unless a workload holds it",
                        "Nothing was delivered."));
    Optional<DeviceWindowMemory> memory = parts.listener().windowMemories().of(device.id());
    if (memory.isEmpty() && open.companions().isEmpty()) {
      throw undeliverable(
          Errno.ENODEV,
          "this agent was restarted, and its group or iommufd and the memory of its windows, which"
              + " were given to a workload for the migration "
              + migration
              + ", could not be taken back from that before it ended",
          "Nothing was delivered; without them the device is of no use.");
    }
    if (memory.isEmpty()) {
      throw undeliverable(
          Errno.ENOENT,
          "the memory of its windows, loaded for the migration "
              + migration
              + ", is no more: this agent has released it",
          "Nothing was delivered; without its windows the device is of no use.");
    }
    DeviceDescriptors whole = memory.get().whole(open);
    if (whole.companions().isEmpty()) {
      throw undeliverable(
          Errno.ENODEV,
          "it was adopted from a workload that has ended, and without its group or iommufd no"
              + " other workload can use it",
          "Nothing was delivered for " + migration + ".");
    }
    return WorkloadRequest.toReceive(device.id(), migration, whole, memory.get());
  }

  @Override
  public Given given() throws IOException {
    Optional<DeviceDescriptors> open = parts.devices().open(device.id());
    Optional<DeviceWindowMemory> memory = parts.listener().windowMemories().of(device.id());
    return open.isPresent() && memory.isPresent()
        ? memory.get().given(memory.get().whole(open.get()))
        : Given.UNKNOWN;
  }

  private WorkloadException undeliverable(Errno errno, String why, String done) {
    return new WorkloadException(
        errno.number(),
        "the device " + device.id() + " cannot be transferred: " + why + ". " + done,
        null);
  }

  /**
   * While the device is open in this agent alone nobody can declare memory for it: what is there is
   * an earlier workload's. The folder is its workloads', who may have put anything in its place.
   */
  @Override
  public void removeEarlierDeclaration() throws IOException {
    Path file = parts.listener().folder(device.id()).resolve(WorkloadListener.MEMORY);
    try {
      Files.deleteIfExists(file);
    } catch (DirectoryNotEmptyException directory) {
      throw new WorkloadException(
          Errno.ENOTEMPTY.number(),
          String.format(
              "where a workload declares the memory of the device %s, %s is a directory with"
                  + " something in it. Nothing was done to the device. Remove it.",
              device.id(), file),
          directory);
    }
  }
}
