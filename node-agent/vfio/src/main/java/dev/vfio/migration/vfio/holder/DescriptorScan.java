package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One look at the open descriptors of all processes but this one, for a device. For one thread.
 *
 * <p>A device's descriptor is {@code anon_inode:[vfio-device]} where it was opened by its group, or
 * {@code /dev/vfio/devices/vfioN}. Since Linux 6.18 {@code fdinfo} says {@code
 * vfio-device-syspath:}, which settles it. Before that a descriptor of the first kind counts where
 * its process also holds the device's group.
 */
final class DescriptorScan {
  private static final String DEVICE_PATH = "vfio-device-syspath:";

  private final Processes processes;
  private final Path deviceDirectory;
  private final String deviceLink;
  private final NodeDevice device;
  private final List<OpenDescriptor> all = new ArrayList<>();
  private final List<OpenDescriptor> candidates = new ArrayList<>();
  private final Map<Long, Set<Integer>> groups = new TreeMap<>();
  private final Set<Long> machines = new TreeSet<>();
  private final List<Long> denied = new ArrayList<>();

  DescriptorScan(Processes processes, Path deviceDirectory, String deviceLink, NodeDevice device) {
    this.processes = processes;
    this.deviceDirectory = deviceDirectory;
    this.deviceLink = deviceLink;
    this.device = device;
  }

  /** What may be the device. */
  List<OpenDescriptor> candidates() {
    return candidates;
  }

  /** Descriptors of any VFIO device that the processes hold, the candidates among them. */
  List<OpenDescriptor> devicesOf(Set<Long> holders) {
    return all.stream().filter(one -> holders.contains(one.process())).toList();
  }

  /** Descriptors of devices that the process has, whose names do not tell which they are. */
  List<OpenDescriptor> unnamedDevicesOf(long process) {
    return all.stream()
        .filter(one -> one.process() == process && one.file().equals(deviceLink))
        .toList();
  }

  /** Numbers of all IOMMU groups that the process holds. */
  Set<Integer> groupsOf(long process) {
    return groups.getOrDefault(process, Set.of());
  }

  /** Whether the process holds a virtual machine. */
  boolean holdsMachine(long process) {
    return machines.contains(process);
  }

  /** Processes that could not be looked into. */
  List<Long> denied() {
    return denied;
  }

  /** Looks. */
  void run() throws IOException {
    long self = processes.self();
    for (long process : processes.all()) {
      if (process != self) {
        look(process);
      }
    }
  }

  private void look(long process) throws IOException {
    OptionalLong startTime = processes.startTime(process);
    if (startTime.isEmpty()) {
      return;
    }
    List<OpenDescriptor> uncertain = new ArrayList<>();
    try (DirectoryStream<Path> links =
        Files.newDirectoryStream(processes.directory(process).resolve("fd"))) {
      for (Path link : links) {
        look(process, startTime.getAsLong(), link, uncertain);
      }
    } catch (AccessDeniedException denial) {
      denied.add(process);
      return;
    } catch (NoSuchFileException | NotDirectoryException ended) {
      return;
    } catch (DirectoryIteratorException failure) {
      if (processes.startTime(process).isPresent()) {
        throw failure.getCause();
      }
      return;
    }
    if (groupsOf(process).contains(device.iommuGroup())) {
      candidates.addAll(uncertain);
    }
  }

  private void look(long process, long startTime, Path link, List<OpenDescriptor> uncertain)
      throws IOException {
    String file;
    try {
      file = Files.readSymbolicLink(link).toString();
    } catch (NoSuchFileException closedMeanwhile) {
      return;
    }
    int number = Integer.parseInt(link.getFileName().toString());
    if (file.equals(deviceLink)) {
      Optional<String> path = devicePath(process, number);
      boolean certain = path.isPresent() && isThis(path.get());
      OpenDescriptor found = new OpenDescriptor(process, startTime, number, file, certain);
      all.add(found);
      if (certain) {
        candidates.add(found);
      } else if (path.isEmpty()) {
        uncertain.add(found);
      }
    } else if (isCharacterDevice(link, file)) {
      OpenDescriptor found = new OpenDescriptor(process, startTime, number, file, true);
      all.add(found);
      candidates.add(found);
    } else if (file.startsWith(deviceDirectory.resolve("devices") + "/")) {
      all.add(new OpenDescriptor(process, startTime, number, file, false));
    } else if (file.equals(VirtualMachineMonitors.MACHINE_LINK)) {
      machines.add(process);
    } else {
      group(link, file)
          .ifPresent(group -> groups.computeIfAbsent(process, any -> new TreeSet<>()).add(group));
    }
  }

  private boolean isThis(String path) {
    // The kernel gives the path as its own sysfs has it, wherever that is mounted for us.
    return device.sysfs().equals(Path.of(path));
  }

  private Optional<String> devicePath(long process, int number) throws IOException {
    Path facts = processes.directory(process).resolve("fdinfo").resolve(Integer.toString(number));
    try {
      for (String line : Files.readString(facts).split("\n")) {
        if (line.startsWith(DEVICE_PATH)) {
          return Optional.of(line.substring(DEVICE_PATH.length()).strip());
        }
      }
    } catch (NoSuchFileException closedMeanwhile) {
      // What is gone has no path; the comparison of open files finds that out again.
      return Optional.empty();
    }
    return Optional.empty();
  }

  private boolean isCharacterDevice(Path link, String file) throws IOException {
    return !device.characterDevice().isEmpty()
        && isNode(link, file, deviceDirectory.resolve("devices").resolve(device.characterDevice()));
  }

  /** The number of the IOMMU group that the descriptor holds; empty where it is no group's. */
  private Optional<Integer> group(Path link, String file) throws IOException {
    String name = file.substring(file.lastIndexOf('/') + 1);
    String digits = name.startsWith("noiommu-") ? name.substring("noiommu-".length()) : name;
    if (digits.isEmpty()
        || digits.length() > 9
        || !digits.chars().allMatch(character -> character >= '0' && character <= '9')) {
      return Optional.empty();
    }
    return isNode(link, file, deviceDirectory.resolve(name))
        ? Optional.of(Integer.valueOf(digits))
        : Optional.empty();
  }

  /** By its name, or, in another mount namespace with names of its own, by its device number. */
  private static boolean isNode(Path link, String file, Path node) throws IOException {
    if (file.equals(node.toString())) {
      return true;
    }
    if (!file.endsWith("/" + node.getFileName()) || Files.notExists(node)) {
      return false;
    }
    try {
      Object theirs = Files.getAttribute(link, "unix:rdev");
      return !theirs.equals(0L) && theirs.equals(Files.getAttribute(node, "unix:rdev"));
    } catch (NoSuchFileException gone) {
      return false;
    }
  }
}
