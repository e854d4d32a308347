package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.CharacterDevice;
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
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One look at the open descriptors of all processes but this one, for a device. For one thread.
 *
 * <p>A device's descriptor is {@code anon_inode:[vfio-device]} where it was opened by its group, or
 * {@code /dev/vfio/devices/vfioN}. Since Linux 6.18 {@code fdinfo} says {@code
 * vfio-device-syspath:}, which settles it. Before that a descriptor of the first kind counts where
 * its process also holds the device's group.
 *
 * <p>A path is what the process's own mount namespace calls the file, so that any container can
 * have a file of any name. A node counts by what nobody chooses: it is a character device, and of
 * the number that sysfs gives for it. A descriptor that was opened only to name a file ({@code
 * O_PATH}) holds nothing: everybody who sees a node can have one.
 */
final class DescriptorScan {
  private static final String DEVICE_PATH = "vfio-device-syspath:";
  private static final String FLAGS = "flags:";
  private static final int O_PATH = 0x200000;

  /** What nodes are called: {@code vfio3}, {@code 7}, {@code noiommu-7}. */
  private static final Pattern NODE = Pattern.compile("([a-z-]{0,16}[0-9]{1,9})( \\(deleted\\))?");

  private final Processes processes;
  private final Path classes;
  private final String deviceLink;
  private final NodeDevice device;
  private final List<OpenDescriptor> all = new ArrayList<>();
  private final List<OpenDescriptor> candidates = new ArrayList<>();
  private final Map<Long, Set<Integer>> groups = new TreeMap<>();
  private final Set<Long> machines = new TreeSet<>();
  private final List<Long> denied = new ArrayList<>();

  DescriptorScan(Processes processes, Path sysfs, String deviceLink, NodeDevice device) {
    this.processes = processes;
    this.classes = sysfs.resolve("class");
    this.deviceLink = deviceLink;
    this.device = device;
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
    if (file.equals(VirtualMachineMonitors.MACHINE_LINK)) {
      machines.add(process);
    } else if (file.equals(deviceLink)) {
      Optional<List<String>> facts = factsOfOpen(process, number);
      if (facts.isPresent()) {
        device(new OpenDescriptor(process, startTime, number, file, false), facts.get(), uncertain);
      }
    } else if (file.startsWith("/")) {
      node(new OpenDescriptor(process, startTime, number, file, false), link);
    }
  }

  /** One whose name does not tell which device it is. */
  private void device(OpenDescriptor found, List<String> facts, List<OpenDescriptor> uncertain) {
    Optional<String> path = fact(facts, DEVICE_PATH);
    // The kernel gives the path as its own sysfs has it, wherever that is mounted for us.
    if (path.isPresent() && device.sysfs().equals(Path.of(path.get()))) {
      OpenDescriptor certain = found.asCertain();
      all.add(certain);
      candidates.add(certain);
    } else {
      all.add(found);
      if (path.isEmpty()) {
        uncertain.add(found);
      }
    }
  }

  /** One that is called like a node: of a device or of a group. */
  private void node(OpenDescriptor found, Path link) throws IOException {
    Matcher last = NODE.matcher(found.file().substring(found.file().lastIndexOf('/') + 1));
    if (!last.matches()) {
      return;
    }
    String name = last.group(1);
    Path ofThis = device.sysfs().resolve("vfio-dev").resolve(name);
    if (name.equals(device.characterDevice()) && isOpenNode(found, link, ofThis)) {
      OpenDescriptor certain = found.asCertain();
      all.add(certain);
      candidates.add(certain);
    } else if (isOpenNode(found, link, classes.resolve("vfio-dev").resolve(name))) {
      all.add(found);
    } else {
      OptionalInt group = groupNumber(name);
      if (group.isPresent() && isOpenNode(found, link, classes.resolve("vfio").resolve(name))) {
        groups.computeIfAbsent(found.process(), any -> new TreeSet<>()).add(group.getAsInt());
      }
    }
  }

  private static OptionalInt groupNumber(String name) {
    String digits = name.startsWith("noiommu-") ? name.substring("noiommu-".length()) : name;
    return digits.chars().allMatch(character -> character >= '0' && character <= '9')
        ? OptionalInt.of(Integer.parseInt(digits))
        : OptionalInt.empty();
  }

  /**
   * Whether it is open, and the node of what sysfs has there.
   *
   * @param known a folder of sysfs, which need not exist
   */
  private boolean isOpenNode(OpenDescriptor found, Path link, Path known) throws IOException {
    Path attribute = known.resolve("dev");
    String number;
    try {
      number = Files.readString(attribute).strip();
    } catch (IOException failure) {
      // Also where the device is removed while its attribute is open.
      if (Files.notExists(attribute)) {
        return false;
      }
      throw failure;
    }
    return CharacterDevice.number(link).filter(number::equals).isPresent()
        && factsOfOpen(found.process(), found.number()).isPresent();
  }

  /** The lines of {@code fdinfo}; empty where it is closed by now, or was never really open. */
  private Optional<List<String>> factsOfOpen(long process, int number) throws IOException {
    Path file = processes.directory(process).resolve("fdinfo").resolve(Integer.toString(number));
    List<String> facts;
    try {
      facts = List.of(Files.readString(file).split("\n"));
    } catch (NoSuchFileException closedMeanwhile) {
      return Optional.empty();
    }
    boolean open =
        fact(facts, FLAGS).filter(flags -> (Long.parseLong(flags, 8) & O_PATH) == 0).isPresent();
    return open ? Optional.of(facts) : Optional.empty();
  }

  private static Optional<String> fact(List<String> facts, String name) {
    return facts.stream()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(name.length()).strip())
        .findFirst();
  }
}
