package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.DirectoryListing;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The devices of IOMMU groups by sysfs, of which a descriptor may be one. */
final class GroupMembers {
  private final Path groups;

  GroupMembers(Path sysfs) {
    this.groups = sysfs.resolve("kernel").resolve("iommu_groups");
  }

  /** Whether these groups together have no other device than this one. */
  boolean areOnly(NodeDevice device, Set<Integer> numbers) throws IOException {
    return others(device, numbers).isEmpty();
  }

  /** Whether no other device of these groups has the ids of this one. */
  boolean areOthersOfOtherKind(NodeDevice device, Set<Integer> numbers) throws IOException {
    if (device.mediated() || device.pciIds().isEmpty()) {
      return false;
    }
    for (Path other : others(device, numbers)) {
      // A device that refuses to show its ids may be of the same kind.
      if (ids(other).filter(known -> !device.pciIds().equals(known)).isEmpty()) {
        return false;
      }
    }
    return true;
  }

  private List<Path> others(NodeDevice device, Set<Integer> numbers) throws IOException {
    List<Path> others = new ArrayList<>();
    for (int number : numbers) {
      Path folder = groups.resolve(Integer.toString(number)).resolve("devices");
      for (String member : DirectoryListing.names(folder)) {
        if (!member.equals(device.sysfs().getFileName().toString())) {
          others.add(folder.resolve(member));
        }
      }
    }
    return others;
  }

  /**
   * {@code vendor:device subvendor:subdevice}. Of a device that has none, or was removed, a text
   * that matches nothing; empty where reading is refused.
   */
  private static Optional<String> ids(Path device) throws IOException {
    try {
      return Optional.of(
          String.format(
              "%s:%s %s:%s",
              id(device, "vendor"),
              id(device, "device"),
              id(device, "subsystem_vendor"),
              id(device, "subsystem_device")));
    } catch (ErrnoException failure) {
      if (KernelText.isOwnShortage(failure)) {
        throw failure;
      }
      return KernelText.isMissing(failure) ? Optional.of("") : Optional.empty();
    }
  }

  private static String id(Path device, String file) throws ErrnoException {
    String text = KernelText.read(device.resolve(file)).strip();
    return text.startsWith("0x") ? text.substring(2) : text;
  }
}
