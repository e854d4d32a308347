package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which open descriptors may be one device. For one thread.
 *
 * <p>Where the kernel does not say which device a descriptor is, it may be this one if its process
 * also holds the device's group.
 */
final class DescriptorScan {
  private final DescriptorTable table;
  private final NodeDevice device;
  private final List<OpenDescriptor> all = new ArrayList<>();
  private final List<OpenDescriptor> candidates = new ArrayList<>();
  private final List<OpenDescriptor> unnamed = new ArrayList<>();

  DescriptorScan(DescriptorTable table, NodeDevice device) throws IOException {
    this.table = table;
    this.device = device;
    Set<OpenDescriptor> own = new LinkedHashSet<>(ownNodes());
    for (OpenDescriptor node : own) {
      all.add(node.asCertain());
      candidates.add(node.asCertain());
    }
    table.nodesOfDevices().stream().filter(node -> !own.contains(node)).forEach(all::add);
    table.devices().forEach(this::device);
  }

  /** The descriptors of the device's own node, by the number that sysfs gives for it. */
  private List<OpenDescriptor> ownNodes() throws IOException {
    List<OpenDescriptor> own = new ArrayList<>();
    String name = device.characterDevice();
    List<DescriptorTable.Node> called = name.isEmpty() ? List.of() : table.nodes(name);
    if (!called.isEmpty()) {
      Optional<String> number =
          DescriptorTable.numberIn(device.sysfs().resolve("vfio-dev").resolve(name));
      for (DescriptorTable.Node node : called) {
        if (number.filter(node.number()::equals).isPresent()
            && (node.knownDevice() || table.isOpen(node.descriptor()))) {
          own.add(node.descriptor());
        }
      }
    }
    return own;
  }

  /** A descriptor whose name does not say which device it is. */
  private void device(DescriptorTable.Device found) {
    OpenDescriptor open = found.descriptor();
    // The kernel gives the path in its own sysfs, wherever that is mounted here.
    if (found.sysfs().filter(device.sysfs()::equals).isPresent()) {
      open = open.asCertain();
      candidates.add(open);
    } else if (found.sysfs().isEmpty()
        && table.groupsOf(open.process()).contains(device.iommuGroup())) {
      candidates.add(open);
    }
    all.add(open);
    unnamed.add(open);
  }

  /** What may be the device. */
  List<OpenDescriptor> candidates() {
    return candidates;
  }

  /** Descriptors of any VFIO device, the candidates among them. */
  List<OpenDescriptor> devices() {
    return all;
  }

  /** Descriptors of any VFIO device that the processes hold, the candidates among them. */
  List<OpenDescriptor> devicesOf(Set<Long> holders) {
    return all.stream().filter(one -> holders.contains(one.process())).toList();
  }

  /** Descriptors of devices that the process has, whose names do not say which they are. */
  List<OpenDescriptor> unnamedDevicesOf(long process) {
    return unnamed.stream().filter(one -> one.process() == process).toList();
  }

  /** Numbers of all IOMMU groups that the process holds. */
  Set<Integer> groupsOf(long process) {
    return table.groupsOf(process);
  }

  /** Whether the process holds a virtual machine. */
  boolean holdsMachine(long process) {
    return table.holdsMachine(process);
  }

  /** Processes that could not be looked into. */
  List<Long> denied() {
    return table.denied();
  }
}
