package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.CharacterDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.DirectoryListing;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import dev.vfio.migration.vfio.linux.MemoryFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Duplicates, out of the process that was given a device, what it was given beside it. Where it is
 * not certain which descriptor that is nothing is duplicated. Safe for use by several threads.
 *
 * <p>An IOMMU group is open once on a whole machine. Containers and iommufds are not, and the
 * kernel does not say which one a device is in: a process that has two is not guessed about.
 */
public final class GivenFiles {
  private static final String GROUP = "group";

  /** Names of nodes in {@code class/misc}, by what a workload is given. */
  private static final Map<String, String> SHARED_NODES =
      Map.of("container", "vfio", "iommufd", "iommu");

  private final Processes processes;
  private final Path classes;

  GivenFiles(Processes processes, Path sysfs) {
    this.processes = processes;
    this.classes = sysfs.resolve("class");
  }

  /**
   * What a process was given.
   *
   * @param device that it was given
   * @param open the device's descriptor in this process, the open file that the process has
   * @param companions names of what is wanted beside it: {@code group}, {@code container}, {@code
   *     iommufd}
   * @param memory identities of the memory that is wanted, as {@link OpenFile#identity} has them
   */
  public record Wanted(
      NodeDevice device,
      Descriptor open,
      Collection<String> companions,
      Collection<String> memory) {}

  /**
   * Duplicates all that is wanted: companions by name, memory by its identity.
   *
   * @param process its number
   * @param startTime of that process, in clock ticks since the machine was started
   * @throws IOException where one of them is missing or not certain, where the process does not
   *     hold the device, or has ended; nothing is duplicated then
   */
  public Map<String, Descriptor> of(long process, long startTime, Wanted wanted)
      throws IOException {
    Map<String, Descriptor> taken = new LinkedHashMap<>();
    boolean complete = false;
    try (ProcessDescriptor pinned = processes.pinned(process, startTime)) {
      Map<String, String> nodes = nodes(wanted);
      boolean holds = false;
      Path folder = processes.directory(process).resolve("fd");
      for (String name : DirectoryListing.names(folder)) {
        int number = Integer.parseInt(name);
        holds |= isOpen(wanted.open(), process, number);
        take(pinned, number, folder.resolve(name), nodes, wanted, taken);
      }
      require(process, holds, "the device itself");
      for (String companion : wanted.companions()) {
        require(process, taken.containsKey(companion), "its " + companion);
      }
      for (String memory : wanted.memory()) {
        require(process, taken.containsKey(memory), "the memory of each of its windows");
      }
      complete = true;
      return taken;
    } finally {
      if (!complete) {
        taken.values().forEach(Descriptor::close);
      }
    }
  }

  private static void require(long process, boolean has, String what) throws ErrnoException {
    if (!has) {
      throw new ErrnoException(
          "process " + process + " does not have open " + what + " any more; the look for it",
          Errno.EBADF.number());
    }
  }

  private static boolean isOpen(Descriptor open, long process, int number) throws ErrnoException {
    try {
      return OpenFile.isSame(open, process, number);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        // That it holds the device was looked at when this was opened.
        return true;
      }
      throw failure;
    }
  }

  /** The numbers of the nodes that are wanted, with what they are. */
  private Map<String, String> nodes(Wanted wanted) throws IOException {
    Map<String, String> nodes = new LinkedHashMap<>();
    for (String companion : wanted.companions()) {
      Path known =
          companion.equals(GROUP)
              ? classes.resolve("vfio").resolve(Integer.toString(wanted.device().iommuGroup()))
              : classes.resolve("misc").resolve(SHARED_NODES.getOrDefault(companion, companion));
      Optional<String> number = DescriptorTable.numberIn(known);
      if (number.isEmpty()) {
        throw new ErrnoException(
            "the number of the node of its " + companion + " is not known; " + known,
            Errno.ENOENT.number());
      }
      nodes.put(number.get(), companion);
    }
    return nodes;
  }

  private static void take(
      ProcessDescriptor process,
      int number,
      Path link,
      Map<String, String> nodes,
      Wanted wanted,
      Map<String, Descriptor> taken)
      throws IOException {
    Optional<String> node = CharacterDevice.number(link);
    boolean memory = node.isEmpty() && isMemory(link);
    if (!memory && node.filter(nodes::containsKey).isEmpty()) {
      return;
    }
    Descriptor duplicate;
    try {
      duplicate = process.duplicate(number);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EBADF)) {
        return;
      }
      throw failure;
    }
    boolean kept = false;
    try {
      kept =
          memory
              ? keepMemory(duplicate, wanted, taken)
              : keepNode(process, duplicate, nodes, taken);
    } finally {
      if (!kept) {
        duplicate.close();
      }
    }
  }

  private static boolean isMemory(Path link) throws IOException {
    try {
      return KernelText.link(link).startsWith(MemoryFile.LINK);
    } catch (ErrnoException failure) {
      if (KernelText.isDenied(failure) || KernelText.isOwnShortage(failure)) {
        throw failure;
      }
      return false;
    }
  }

  /** One that cannot be written to is of no use to another workload. */
  private static boolean keepMemory(
      Descriptor duplicate, Wanted wanted, Map<String, Descriptor> taken) throws IOException {
    String identity = OpenFile.identity(duplicate);
    return wanted.memory().contains(identity)
        && OpenFile.writable(duplicate)
        && taken.putIfAbsent(identity, duplicate) == null;
  }

  private static boolean keepNode(
      ProcessDescriptor process,
      Descriptor duplicate,
      Map<String, String> nodes,
      Map<String, Descriptor> taken)
      throws IOException {
    // Its number may have been another file's when it was looked at.
    String companion =
        CharacterDevice.number(OpenFile.path(duplicate)).map(nodes::get).orElse(null);
    if (companion == null || OpenFile.onlyNames(duplicate)) {
      return false;
    }
    Descriptor former = taken.putIfAbsent(companion, duplicate);
    if (former != null && !OpenFile.isSame(former, duplicate)) {
      throw new ErrnoException(
          String.format(
              "process %s has more than one %s open, and the kernel does not say which is the"
                  + " device's; the look for it",
              process.process(), companion),
          Errno.EBUSY.number());
    }
    return former == null;
  }
}
