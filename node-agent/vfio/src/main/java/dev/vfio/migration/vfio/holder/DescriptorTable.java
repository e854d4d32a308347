package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.linux.CharacterDevice;
import dev.vfio.migration.vfio.linux.DirectoryListing;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One scan of the open descriptors of all processes but this one, for those of VFIO. It reads one
 * link for each open descriptor of the machine, and more only of descriptors that may be VFIO's, so
 * its cost does not depend on the number of devices. Immutable once it was made, but for the
 * counters; safe for use by several threads then.
 *
 * <p>A device's descriptor is {@code anon_inode:[vfio-device]} where it was opened by its group, or
 * {@code /dev/vfio/devices/vfioN}. Since Linux 6.18 {@code fdinfo} has {@code
 * vfio-device-syspath:}, which settles it.
 *
 * <p>A path is what the process's own mount namespace calls the file, so any container can have a
 * file of any name. A node counts by what nobody can choose: it is a character device, and it has
 * the number that sysfs gives for it. A descriptor that only names a file ({@code O_PATH}) holds
 * nothing, and everybody who sees a node can have one.
 *
 * <p>Processes that end, descriptors that are closed, and files that the kernel cannot name are
 * passed over. What this process itself is not allowed to see is not, because it could hide a
 * holder.
 */
final class DescriptorTable {
  private static final String DEVICE_PATH = "vfio-device-syspath:";
  private static final String FLAGS = "flags:";
  private static final int O_PATH = 0x200000;

  /** What nodes are called: {@code vfio3}, {@code 7}, {@code noiommu-7}. */
  private static final Pattern NODE = Pattern.compile("([a-z-]{0,16}[0-9]{1,9})( \\(deleted\\))?");

  private final Processes processes;
  private final Path classes;
  private final String deviceLink;
  private final List<Long> all;
  private final KernelText.Links links = new KernelText.Links();
  private final Map<Path, Optional<String>> deviceNumbers = new HashMap<>();
  private final List<Device> devices = new ArrayList<>();
  private final Map<String, List<Node>> nodes = new HashMap<>();
  private final List<OpenDescriptor> nodesOfDevices = new ArrayList<>();
  private final Map<Long, Set<Integer>> groups = new TreeMap<>();
  private final Set<Long> machines = new TreeSet<>();
  private final List<Long> denied = new ArrayList<>();
  private final LongAdder linksRead = new LongAdder();
  private final LongAdder factsRead = new LongAdder();

  /**
   * An open device.
   *
   * @param sysfs the device as the kernel's own sysfs has it; empty where the kernel does not say
   */
  record Device(OpenDescriptor descriptor, Optional<Path> sysfs) {}

  /**
   * An open character device that is called like a node.
   *
   * @param number as sysfs writes it
   * @param knownDevice whether it is a node of some VFIO device, and really open
   */
  record Node(OpenDescriptor descriptor, String number, boolean knownDevice) {}

  private DescriptorTable(Processes processes, Path sysfs, String deviceLink, List<Long> all) {
    this.processes = processes;
    this.classes = sysfs.resolve("class");
    this.deviceLink = deviceLink;
    this.all = all;
  }

  /** Looks at all processes. */
  static DescriptorTable ofAll(Processes processes, Path sysfs, String deviceLink)
      throws IOException {
    return new DescriptorTable(processes, sysfs, deviceLink, processes.all()).filled();
  }

  /** Scans some processes only. */
  static DescriptorTable ofSome(Processes processes, Path sysfs, String deviceLink, Set<Long> some)
      throws IOException {
    return new DescriptorTable(processes, sysfs, deviceLink, List.copyOf(some)).filled();
  }

  /** Open devices, without those that are open by a node of their own. */
  List<Device> devices() {
    return devices;
  }

  /** Open character devices of that name. */
  List<Node> nodes(String name) {
    return nodes.getOrDefault(name, List.of());
  }

  /** Open nodes of VFIO devices, whichever they are. */
  List<OpenDescriptor> nodesOfDevices() {
    return nodesOfDevices;
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

  /** How many links were read. */
  long linksRead() {
    return linksRead.sum();
  }

  /** How often it was read what the kernel says of a descriptor. */
  long factsRead() {
    return factsRead.sum();
  }

  private DescriptorTable filled() throws IOException {
    long self = processes.self();
    for (long process : all) {
      if (process != self) {
        look(process);
      }
    }
    return this;
  }

  private void look(long process) throws IOException {
    try {
      OptionalLong startTime = processes.startTime(process);
      if (startTime.isEmpty()) {
        return;
      }
      Path folder = processes.directory(process).resolve("fd");
      for (String number : DirectoryListing.names(folder)) {
        look(process, startTime.getAsLong(), Integer.parseInt(number), folder.resolve(number));
      }
    } catch (ErrnoException failure) {
      if (KernelText.isDenied(failure)) {
        denied.add(process);
      } else if (!KernelText.isMissing(failure)) {
        throw failure;
      }
    }
  }

  private void look(long process, long startTime, int number, Path link) throws IOException {
    String file;
    try {
      linksRead.increment();
      file = links.read(link);
    } catch (ErrnoException failure) {
      if (KernelText.isDenied(failure) || KernelText.isOwnShortage(failure)) {
        throw failure;
      }
      // Closed meanwhile, or a file whose path is too long, which no node has.
      return;
    }
    OpenDescriptor found = new OpenDescriptor(process, startTime, number, file, false);
    if (file.equals(VirtualMachineMonitors.MACHINE_LINK)) {
      machines.add(process);
    } else if (file.equals(deviceLink)) {
      factsOfOpen(found)
          .ifPresent(
              facts -> devices.add(new Device(found, fact(facts, DEVICE_PATH).map(Path::of))));
    } else if (file.startsWith("/")) {
      Matcher last = NODE.matcher(file.substring(file.lastIndexOf('/') + 1));
      if (last.matches()) {
        node(found, last.group(1), link);
      }
    }
  }

  /** A file that is named like the node of a device or of a group. */
  private void node(OpenDescriptor found, String name, Path link) throws IOException {
    Optional<String> number = CharacterDevice.number(link);
    if (number.isEmpty()) {
      return;
    }
    boolean device =
        number.equals(deviceNumber(classes.resolve("vfio-dev").resolve(name))) && isOpen(found);
    nodes
        .computeIfAbsent(name, any -> new ArrayList<>())
        .add(new Node(found, number.get(), device));
    if (device) {
      nodesOfDevices.add(found);
    }
    OptionalInt group = device ? OptionalInt.empty() : groupNumber(name);
    if (group.isPresent()
        && number.equals(deviceNumber(classes.resolve("vfio").resolve(name)))
        && isOpen(found)) {
      groups.computeIfAbsent(found.process(), any -> new TreeSet<>()).add(group.getAsInt());
    }
  }

  private static OptionalInt groupNumber(String name) {
    String digits = name.startsWith("noiommu-") ? name.substring("noiommu-".length()) : name;
    return digits.chars().allMatch(character -> character >= '0' && character <= '9')
        ? OptionalInt.of(Integer.parseInt(digits))
        : OptionalInt.empty();
  }

  /** Reads the number of each node once. */
  private Optional<String> deviceNumber(Path known) throws IOException {
    Optional<String> number = deviceNumbers.get(known);
    if (number == null) {
      number = numberIn(known);
      deviceNumbers.put(known, number);
    }
    return number;
  }

  /**
   * The number that sysfs gives for a node; empty where it has none.
   *
   * @param known a folder of sysfs, which need not exist
   */
  static Optional<String> numberIn(Path known) throws IOException {
    try {
      return Optional.of(KernelText.read(known.resolve("dev")).strip());
    } catch (ErrnoException failure) {
      // Also where the device is removed while its attribute is open.
      if (KernelText.isMissing(failure)) {
        return Optional.empty();
      }
      throw failure;
    }
  }

  /** Whether it is open now, and does not only name a file. */
  boolean isOpen(OpenDescriptor found) throws IOException {
    return factsOfOpen(found).isPresent();
  }

  /** The lines of {@code fdinfo}; empty where it is closed by now, or was never really open. */
  private Optional<List<String>> factsOfOpen(OpenDescriptor found) throws IOException {
    Path file =
        processes
            .directory(found.process())
            .resolve("fdinfo")
            .resolve(Integer.toString(found.number()));
    List<String> facts;
    try {
      factsRead.increment();
      facts = List.of(KernelText.read(file).split("\n"));
    } catch (ErrnoException failure) {
      if (KernelText.isMissing(failure)) {
        return Optional.empty();
      }
      throw failure;
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
