package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Chooses, among the open files that may be a device, the one that certainly is. */
final class DescriptorChoice {
  private final Processes processes;
  private final GroupMembers members;
  private final ConfigurationIds ids;

  DescriptorChoice(Processes processes, GroupMembers members, ConfigurationIds ids) {
    this.processes = processes;
    this.members = members;
    this.ids = ids;
  }

  /**
   * All descriptors of the open file that is the device; none where nothing found may be it.
   *
   * @throws DeviceException BUSY where it is not certain which one is
   */
  List<OpenDescriptor> among(NodeDevice device, DescriptorScan scan) throws IOException {
    List<List<OpenDescriptor>> files = openFiles(certainOnly(scan.candidates()));
    return files.isEmpty() ? List.of() : theOne(device, scan, files);
  }

  private static List<OpenDescriptor> certainOnly(List<OpenDescriptor> candidates) {
    List<OpenDescriptor> certain = candidates.stream().filter(OpenDescriptor::certain).toList();
    return certain.isEmpty() ? candidates : certain;
  }

  /** The candidates by the open file that they are duplicates of. */
  static List<List<OpenDescriptor>> openFiles(List<OpenDescriptor> candidates) throws IOException {
    List<List<OpenDescriptor>> files = new ArrayList<>();
    for (OpenDescriptor candidate : candidates) {
      List<OpenDescriptor> same = null;
      for (List<OpenDescriptor> file : files) {
        if (same == null && isSame(file.get(0), candidate)) {
          same = file;
        }
      }
      if (same == null) {
        same = new ArrayList<>();
        files.add(same);
      }
      same.add(candidate);
    }
    return files;
  }

  private static boolean isSame(OpenDescriptor one, OpenDescriptor other) throws IOException {
    try {
      return ProcessDescriptor.sameFile(
          one.process(), one.number(), other.process(), other.number());
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        // Without kcmp files cannot be compared: they count as different, which is then refused.
        return false;
      }
      throw failure;
    }
  }

  private List<OpenDescriptor> theOne(
      NodeDevice device, DescriptorScan scan, List<List<OpenDescriptor>> files) throws IOException {
    if (files.size() == 1) {
      OpenDescriptor only = files.get(0).get(0);
      if (only.certain()) {
        return files.get(0);
      }
      requireGroupForEach(device, scan, only.process());
      requireKind(device, only);
      if (members.areOnly(device, scan.groupsOf(only.process()))
          || members.areOthersOfOtherKind(device, scan.groupsOf(only.process()))) {
        return files.get(0);
      }
      throw unsure(
          device,
          only.name()
              + " may be it, or another device of the IOMMU groups "
              + scan.groupsOf(only.process())
              + " that the process holds");
    }
    List<List<OpenDescriptor>> ofKind = new ArrayList<>();
    for (List<OpenDescriptor> file : files) {
      if (tellsKind(device) && isOfKind(device, file.get(0))) {
        ofKind.add(file);
      }
    }
    if (ofKind.size() == 1) {
      OpenDescriptor only = ofKind.get(0).get(0);
      if (only.certain()) {
        return ofKind.get(0);
      }
      requireGroupForEach(device, scan, only.process());
      if (members.areOthersOfOtherKind(device, scan.groupsOf(only.process()))) {
        return ofKind.get(0);
      }
    }
    throw unsure(
        device,
        files.size()
            + " different descriptors may be it: "
            + files.stream().map(file -> file.get(0).name()).collect(Collectors.joining(", ")));
  }

  /** A process with fewer groups than devices got a device from another process. */
  private void requireGroupForEach(NodeDevice device, DescriptorScan scan, long process)
      throws IOException {
    if (scan.holdsMachine(process) || VirtualMachineMonitors.isOne(processes, process)) {
      // No descriptor of a virtual machine monitor is duplicated, and its refusal is more to the
      // point.
      return;
    }
    int devices = openFiles(scan.unnamedDevicesOf(process)).size();
    int groups = scan.groupsOf(process).size();
    if (devices > groups) {
      throw unsure(
          device,
          String.format(
              "process %s holds %s VFIO devices and only %s IOMMU groups, so one of them may be of"
                  + " a group that it does not hold",
              process, devices, groups));
    }
  }

  private void requireKind(NodeDevice device, OpenDescriptor only) throws IOException {
    if (tellsKind(device) && !isOfKind(device, only)) {
      throw unsure(
          device,
          only.name()
              + " may be it by its IOMMU groups, and its configuration space does not say "
              + device.pciIds());
    }
  }

  private static boolean tellsKind(NodeDevice device) {
    return !device.mediated() && !device.pciIds().isEmpty();
  }

  private boolean isOfKind(NodeDevice device, OpenDescriptor candidate) throws IOException {
    try (ProcessDescriptor process = processes.pinned(candidate.process(), candidate.startTime())) {
      Descriptor duplicate = process.duplicate(candidate.number());
      return ids.read(duplicate).map(device.pciIds()::equals).orElse(false);
    }
  }

  private static DeviceException unsure(NodeDevice device, String why) {
    return Kind.BUSY.exception(
        "it is not certain which descriptor is the device %s: %s. Nothing was done to the"
            + " device or to any process. Linux 6.18 and later say so; on an older kernel let"
            + " each process hold one device, and close duplicates that are not needed.",
        device.id(), why);
  }
}
