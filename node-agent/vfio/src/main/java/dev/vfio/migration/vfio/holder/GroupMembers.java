package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The devices of IOMMU groups, by sysfs: what a descriptor from such a group may be. */
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
      if (device.pciIds().equals(ids(other))) {
        return false;
      }
    }
    return true;
  }

  private List<Path> others(NodeDevice device, Set<Integer> numbers) throws IOException {
    List<Path> others = new ArrayList<>();
    for (int number : numbers) {
      Path folder = groups.resolve(Integer.toString(number)).resolve("devices");
      try (DirectoryStream<Path> members = Files.newDirectoryStream(folder)) {
        for (Path member : members) {
          if (!member.getFileName().toString().equals(device.sysfs().getFileName().toString())) {
            others.add(member);
          }
        }
      }
    }
    return others;
  }

  /** {@code vendor:device subvendor:subdevice}; of a device without them nothing that matches. */
  private static String ids(Path device) throws IOException {
    try {
      return id(device, "vendor")
          + ":"
          + id(device, "device")
          + " "
          + id(device, "subsystem_vendor")
          + ":"
          + id(device, "subsystem_device");
    } catch (NoSuchFileException notPci) {
      return "";
    }
  }

  private static String id(Path device, String file) throws IOException {
    String text = Files.readString(device.resolve(file)).strip();
    return text.startsWith("0x") ? text.substring(2) : text;
  }
}
