package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * Finds the holder of a device, and duplicates the holder's descriptor. Where it is not certain
 * which descriptor is the device nothing is duplicated, because a wrong guess would migrate another
 * device. This process's own descriptors do not count. Safe for use by several threads.
 *
 * <p>Needs to see all processes (the machine's own process namespace) and CAP_SYS_PTRACE.
 */
public final class Holders {
  /** What a device's descriptor is called where the device was opened by its group. */
  public static final String DEVICE_LINK = "anon_inode:[vfio-device]";

  private static final int MAX_LOOKS = 3;

  private final Processes processes;
  private final DescriptorScans scans;
  private final DescriptorChoice choice;
  private final Domains domains;
  private final GivenFiles given;

  /** Whether one scan serves all devices of a listing. */
  private final boolean listing;

  /** Which cgroup a process belongs to as a whole. */
  @FunctionalInterface
  public interface Domains {
    /**
     * The cgroup that lists the processes of one.
     *
     * @param cgroup as {@code /proc} names it, which may be one that has threads only
     */
    String domain(String cgroup) throws IOException;
  }

  /**
   * Does no I/O.
   *
   * @param proc where proc is mounted, of the machine's own process namespace
   * @param sysfs where sysfs is mounted
   * @param deviceLink what a device's descriptor is called, {@link #DEVICE_LINK}
   * @param ids distinguishes devices of one group, or of one process
   */
  public Holders(Path proc, Path sysfs, String deviceLink, ConfigurationIds ids) {
    this(new Processes(proc), sysfs, deviceLink, ids, cgroup -> cgroup);
  }

  /**
   * Does no I/O.
   *
   * @param sysfs where sysfs is mounted
   * @param deviceLink what a device's descriptor is called, {@link #DEVICE_LINK}
   * @param ids distinguishes devices of one group, or of one process
   * @param domains says which cgroup a process belongs to
   */
  public Holders(
      Processes processes, Path sysfs, String deviceLink, ConfigurationIds ids, Domains domains) {
    this(processes, sysfs, deviceLink, ids, domains, System::nanoTime);
  }

  /**
   * @param nanoTime monotonic nanoseconds
   */
  Holders(
      Processes processes,
      Path sysfs,
      String deviceLink,
      ConfigurationIds ids,
      Domains domains,
      LongSupplier nanoTime) {
    this.processes = processes;
    this.scans = new DescriptorScans(processes, sysfs, deviceLink, nanoTime);
    this.choice = new DescriptorChoice(processes, new GroupMembers(sysfs), ids);
    this.domains = domains;
    this.given = new GivenFiles(processes, sysfs);
    this.listing = false;
  }

  private Holders(Holders of, DescriptorScans scans) {
    this.processes = of.processes;
    this.scans = scans;
    this.choice = of.choice;
    this.domains = of.domains;
    this.given = of.given;
    this.listing = true;
  }

  /**
   * The same for a listing, which decides nothing: one scan of all processes serves all devices, so
   * that an answer may be some seconds old.
   */
  public Holders forListing() {
    return new Holders(this, scans);
  }

  /** The same for one look at one device: the first scan of all processes serves the whole look. */
  public Holders forOneLook() {
    return new Holders(this, scans.forOneLook());
  }

  /** Begins a listing, which uses no scan of an earlier one. */
  public void listingBegins() {
    scans.listingBegins();
  }

  /** How often all processes were scanned, which is what costs where many files are open. */
  long looks() {
    return scans.looks();
  }

  /** What is known of processes. */
  public Processes processes() {
    return processes;
  }

  /** Finds what a process was given beside its device. */
  public GivenFiles given() {
    return given;
  }

  /**
   * Who holds the device, this process apart; empty where nobody does. Changes nothing.
   *
   * @throws DeviceException BUSY where it is not certain who, or which of their descriptors it is;
   *     UNREACHABLE where processes cannot be looked into
   */
  public Optional<Holder> of(NodeDevice device) throws DeviceException {
    return look(device, anew -> find(device, anew));
  }

  /**
   * Who holds the same open file as this process does, this process apart; empty where nobody does.
   * Other open files of the device do not count, so this is certain where {@link #of(NodeDevice)}
   * has to refuse. Changes nothing.
   *
   * <p>On a kernel without {@code kcmp}, and where the descriptor is closed meanwhile, this is
   * {@link #of(NodeDevice)}.
   *
   * @param open the device's descriptor in this process
   * @throws DeviceException BUSY where the holders are of different cgroups; UNREACHABLE where
   *     processes cannot be looked into
   */
  public Optional<Holder> of(NodeDevice device, Descriptor open) throws DeviceException {
    return look(device, anew -> find(device, open, anew));
  }

  @FunctionalInterface
  private interface Look {
    Optional<Holder> run(boolean anew) throws IOException;
  }

  private static Optional<Holder> look(NodeDevice device, Look kind) throws DeviceException {
    try {
      for (int look = 1; ; look++) {
        try {
          return kind.run(look > 1);
        } catch (ErrnoException changed) {
          boolean closed = changed.is(Errno.EBADF) || KernelText.isMissing(changed);
          if (!closed || look == MAX_LOOKS) {
            throw changed;
          }
        }
      }
    } catch (DeviceException known) {
      throw known;
    } catch (IOException failure) {
      throw new DeviceException(
          Kind.UNREACHABLE,
          ErrnoException.errnoOf(failure),
          String.format(
              "who holds the device %s cannot be found out: %s. Nothing was done to the device or"
                  + " to any process.",
              device.id(), failure.getMessage()),
          failure);
    }
  }

  /**
   * @param anew because what others had found does not hold any more
   */
  private DescriptorScan scan(NodeDevice device, boolean anew) throws IOException {
    return new DescriptorScan(listing && !anew ? scans.ofListing() : scans.now(), device);
  }

  private Optional<Holder> find(NodeDevice device, boolean anew) throws IOException {
    DescriptorScan scan = scan(device, anew);
    List<OpenDescriptor> file = choice.among(device, scan);
    if (file.isEmpty()) {
      requireSight(device, scan);
      return Optional.empty();
    }
    return Optional.of(holder(device, scan, file));
  }

  private Optional<Holder> find(NodeDevice device, Descriptor open, boolean anew)
      throws IOException {
    DescriptorScan scan = scan(device, anew);
    List<OpenDescriptor> same = new ArrayList<>();
    try {
      for (OpenDescriptor one : scan.devices()) {
        if (OpenFile.isSame(open, one.process(), one.number())) {
          same.add(one);
        }
      }
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        return find(device, anew);
      }
      throw failure;
    }
    if (!open.isOpen()) {
      // Another file may have had its number when it was compared.
      return find(device, anew);
    }
    if (same.isEmpty()) {
      requireSight(device, scan);
      return Optional.empty();
    }
    return Optional.of(holder(device, scan, same));
  }

  /**
   * Why a process that waits for the device could not be given it, as a part of a sentence; empty
   * where nothing is known against it. Changes nothing.
   *
   * @param process its number; 0 where this process cannot see it
   */
  public Optional<String> objection(NodeDevice device, long process) throws IOException {
    if (process == 0) {
      return Optional.of(
          "its process cannot be seen from here, so that nobody could say whether it holds the"
              + " device. The agent needs the machine's own process namespace (hostPID)");
    }
    DescriptorScan scan = new DescriptorScan(scans.now(Set.of(process)), device);
    if (scan.denied().contains(process) && !processes.selfMayTrace()) {
      return Optional.of(
          "its descriptors may not be looked at, EACCES (13). The agent needs CAP_SYS_PTRACE");
    }
    if (scan.holdsMachine(process) || VirtualMachineMonitors.isOne(processes, process)) {
      return Optional.of(
          String.format(
              "process %s (%s) is a virtual machine monitor, which cannot go on with a state that"
                  + " it did not load itself",
              process, processes.command(process)));
    }
    int others = DescriptorChoice.openFiles(scan.devicesOf(Set.of(process))).size();
    return others == 0
        ? Optional.empty()
        : Optional.of(
            String.format(
                "process %s (%s) holds %s other VFIO devices. Let each workload wait for one",
                process, processes.command(process), others));
  }

  /** A search that found no holder counts only if all processes could be scanned. */
  private void requireSight(NodeDevice device, DescriptorScan scan) throws IOException {
    // With the capability a refusal has other reasons. A holder there would still be found out: the
    // kernel opens no device twice.
    if (!scan.denied().isEmpty() && !processes.selfMayTrace()) {
      throw new DeviceException(
          Kind.UNREACHABLE,
          Errno.EACCES.number(),
          String.format(
              "who holds the device %s cannot be found out: the descriptors of %s processes may not"
                  + " be looked at (the first is %s), EACCES (13). Nothing was done. The agent"
                  + " needs CAP_SYS_PTRACE and the machine's own process namespace (hostPID).",
              device.id(), scan.denied().size(), scan.denied().get(0)));
    }
  }

  private Holder holder(NodeDevice device, DescriptorScan scan, List<OpenDescriptor> file)
      throws IOException {
    Set<Long> together =
        file.stream().map(OpenDescriptor::process).collect(Collectors.toCollection(TreeSet::new));
    Set<String> cgroups = new TreeSet<>();
    boolean machine = false;
    for (long process : together) {
      cgroups.add(domains.domain(processes.cgroup(process)));
      machine |= scan.holdsMachine(process) || VirtualMachineMonitors.isOne(processes, process);
    }
    if (cgroups.size() > 1) {
      throw Kind.BUSY.exception(
          "the device %s is held by processes %s of different cgroups %s, which cannot be made"
              + " to stand still as one workload. Nothing was done to them or to the device."
              + " Let one workload hold it.",
          device.id(), together, cgroups);
    }
    OpenDescriptor first = first(file, together);
    return new Holder(
        device,
        first.process(),
        first.startTime(),
        processes.command(first.process()),
        cgroups.iterator().next(),
        processes.user(first.process()),
        machine,
        first.number(),
        first.file(),
        together,
        DescriptorChoice.openFiles(scan.devicesOf(together)).size() - 1);
  }

  /** The ancestor of all others; where none is, the one that was started first. */
  private OpenDescriptor first(List<OpenDescriptor> file, Set<Long> together) throws IOException {
    for (OpenDescriptor one : file) {
      if (isAncestorOfAll(one.process(), together)) {
        return one;
      }
    }
    return file.stream()
        .min(
            Comparator.comparingLong(OpenDescriptor::startTime)
                .thenComparingLong(OpenDescriptor::process))
        .orElseThrow();
  }

  private boolean isAncestorOfAll(long ancestor, Set<Long> together) throws IOException {
    for (long process : together) {
      if (!processes.isAncestor(ancestor, process)) {
        return false;
      }
    }
    return true;
  }

  /**
   * Duplicates the device's descriptor, whether the holder runs, is stopped or frozen. The
   * duplicate keeps the device open and its group busy until it is closed.
   *
   * @throws DeviceException UNREACHABLE where the holder has ended, or another process has its
   *     number; BUSY where its descriptor is not the device any more
   */
  public Descriptor adopt(Holder holder) throws DeviceException {
    Descriptor duplicate = null;
    boolean adopted = false;
    try (ProcessDescriptor process = processes.pinned(holder.process(), holder.startTime())) {
      duplicate = process.duplicate(holder.descriptor());
      requireDevice(holder, process, duplicate);
      adopted = true;
      return duplicate;
    } catch (DeviceException known) {
      throw known;
    } catch (IOException failure) {
      int errno = ErrnoException.errnoOf(failure);
      throw new DeviceException(
          Kind.UNREACHABLE,
          errno,
          String.format(
              "the device %s that %s holds cannot be adopted: %s. Nothing was done to the device."
                  + " %s",
              holder.device().id(), holder.name(), failure.getMessage(), advice(errno)),
          failure);
    } finally {
      if (duplicate != null && !adopted) {
        duplicate.close();
      }
    }
  }

  private static String advice(int errno) {
    if (errno == Errno.EPERM.number()) {
      return "The agent needs CAP_SYS_PTRACE; see also kernel.yama.ptrace_scope.";
    }
    return errno == Errno.ENOSYS.number()
        ? "The kernel is too old: Linux 5.6 or later is needed."
        : "See whether the workload still runs.";
  }

  private boolean isStill(Holder holder) throws DeviceException {
    return of(holder.device())
        .filter(now -> now.is(holder.process(), holder.startTime()))
        .filter(now -> now.descriptor() == holder.descriptor())
        .isPresent();
  }

  /** Scans the holder alone: the listing scanned all others. */
  private boolean mayStillBe(Holder holder) throws IOException {
    DescriptorTable now = scans.now(Set.of(holder.process()));
    return new DescriptorScan(now, holder.device())
        .candidates().stream().anyMatch(one -> one.number() == holder.descriptor());
  }

  /** The holder may have closed the descriptor and opened another file since it was found. */
  private void requireDevice(Holder holder, ProcessDescriptor process, Descriptor duplicate)
      throws IOException {
    boolean still =
        OpenFile.name(duplicate).equals(holder.file())
            && (listing ? mayStillBe(holder) : isStill(holder))
            && OpenFile.isSame(duplicate, process, holder.descriptor());
    if (!still) {
      throw Kind.BUSY.exception(
          "descriptor %s of %s was the device %s and is something else now. Nothing was done to"
              + " the device; try again once the workload has settled.",
          holder.descriptor(), holder.name(), holder.device().id());
    }
  }
}
