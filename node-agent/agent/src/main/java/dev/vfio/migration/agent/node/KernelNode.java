package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.session.SessionSnapshot;
import dev.vfio.migration.agent.session.SessionState;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.freezer.Cgroups;
import dev.vfio.migration.vfio.freezer.Freezer;
import dev.vfio.migration.vfio.freezer.FreezerLedger;
import dev.vfio.migration.vfio.handover.HandoverDesk;
import dev.vfio.migration.vfio.handover.KernelWorkload;
import dev.vfio.migration.vfio.holder.ConfigurationSpace;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.node.KernelDirectory;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * The kernel's devices of this node, and the workloads that use them or wait for them. A device
 * that is free and can migrate is offered to workloads at the hand-over desk.
 */
final class KernelNode implements DeviceDirectory, AutoCloseable {
  private static final Logger LOG = Logger.getLogger(KernelNode.class);
  private static final Path DEVICE_DIRECTORY = Path.of("/dev/vfio");
  private static final Path SYSFS = Path.of("/sys");
  private static final Path PROC = Path.of("/proc");

  /** A workload says who it is as soon as it has connected. */
  private static final Duration HELLO_TIMEOUT = Duration.ofSeconds(10);

  private final SysfsDevices inventory = new SysfsDevices(SYSFS, DEVICE_DIRECTORY);
  private final Holders holders =
      new Holders(PROC, SYSFS, DEVICE_DIRECTORY, Holders.DEVICE_LINK, new ConfigurationSpace());
  private final KernelDirectory directory;
  private final HandoverDesk desk;
  private final Freezer freezer;
  private final AgentConfig config;
  private final int pageSize;

  /** Of the one thread that looks for new devices. */
  private Set<NodeDevice> seen = Set.of();

  KernelNode(AgentConfig config, int pageSize) throws IOException {
    this.config = config;
    this.pageSize = pageSize;
    Set<Integer> users = config.handoverUsers().orElse(Set.of());
    this.freezer =
        new Freezer(
            new Cgroups(config.cgroupDirectory(), holders.processes()),
            holders.processes(),
            new FreezerLedger(config.journalDirectory().resolve("frozen")),
            config.workloadTimeout());
    this.desk =
        new HandoverDesk(
            config.handoverDirectory(),
            config.journalDirectory().resolve("handed-over"),
            HELLO_TIMEOUT,
            users::contains,
            this::isHeldBy);
    this.directory =
        new KernelDirectory(
            inventory,
            holders,
            this::received,
            DEVICE_DIRECTORY,
            config.deviceAccess(),
            pageSize,
            System::nanoTime);
  }

  /** Whether this node's kernel has devices that are to be looked at. */
  static boolean wanted(AgentConfig config) {
    return config.kernelDevices().orElseGet(() -> Files.isDirectory(DEVICE_DIRECTORY));
  }

  /** For the desk's thread, which must not be called back from here. */
  private boolean isHeldBy(String device, long process) throws DeviceException {
    Optional<NodeDevice> known = inventory.find(device);
    return known.isPresent()
        && holders
            .of(known.get())
            .filter(holder -> holder.together().contains(process))
            .isPresent();
  }

  private boolean received(Holder holder, String migration) throws DeviceException {
    try {
      return desk.received(holder, migration);
    } catch (IOException unknown) {
      throw new DeviceException(
          DeviceException.Kind.UNREACHABLE,
          0,
          "whether "
              + holder.name()
              + " was given the device "
              + holder.device().id()
              + " for the migration "
              + migration
              + " cannot be found out: "
              + unknown.getMessage()
              + ". Nothing was done to the device.",
          unknown);
    }
  }

  /** The workloads of the kernel's devices, given that long to come and wait. */
  Workloads workloads(Duration connectPatience) {
    KernelWorkload.Means means =
        new KernelWorkload.Means(
            holders,
            freezer,
            desk,
            directory::openHere,
            pageSize,
            connectPatience,
            config.workloadTimeout());
    return device ->
        new KernelWorkload(
            inventory
                .find(device)
                .orElseThrow(
                    () -> new WorkloadException(0, inventory.explainAbsence(device), null)),
            means);
  }

  @Override
  public List<Entry> list() {
    List<Entry> entries = directory.list();
    entries.forEach(this::offer);
    return entries;
  }

  @Override
  public Optional<Entry> look(String id) {
    Optional<Entry> entry = directory.look(id);
    entry.ifPresent(this::offer);
    return entry;
  }

  /**
   * Workloads may wait for devices that were made since the last call, before anybody asks what
   * this node has, and wait no longer for those that are gone. Opens none: a device is made for
   * somebody who is about to open it.
   */
  void followDevices() {
    try {
      List<NodeDevice> present = inventory.list();
      present.stream()
          .filter(device -> !seen.contains(device))
          .forEach(device -> offer(device.id()));
      Set<String> ids = present.stream().map(NodeDevice::id).collect(Collectors.toSet());
      for (String offered : desk.offered()) {
        if (!ids.contains(offered)) {
          desk.withdraw(offered);
        }
      }
      seen = Set.copyOf(present);
    } catch (IOException | RuntimeException failure) {
      // A scheduled task that throws is never run again.
      LOG.error("the devices of the kernel could not be looked at", failure);
    }
  }

  private void offer(Entry entry) {
    if (entry.description() != null && !entry.busy()) {
      offer(entry.id());
    }
  }

  private void offer(String id) {
    try {
      desk.offer(id);
    } catch (IOException failure) {
      LOG.errorf(
          failure,
          "no workload can wait for %s in %s: it can be no destination",
          id,
          config.handoverDirectory());
    }
  }

  @Override
  public MigratableDevice open(String id) throws DeviceException {
    return directory.open(id);
  }

  @Override
  public MigratableDevice open(String id, MigrationEnd end, String migration)
      throws DeviceException {
    return directory.open(id, end, migration);
  }

  @Override
  public Continuity continuity(String id) {
    return directory.continuity(id);
  }

  /**
   * Before sessions go on: workloads that were given a device come back to where they waited. Looks
   * at no device, because a driver that hangs must not keep the others' sessions from going on.
   */
  void offerToThoseWhoCameBack() {
    try {
      inventory.list().stream()
          .map(NodeDevice::id)
          .filter(id -> Files.exists(desk.socket(id)))
          .forEach(this::offer);
    } catch (RuntimeException failure) {
      LOG.error("workloads that hold a device of an earlier agent cannot come back", failure);
    }
  }

  /**
   * Lets run what an earlier agent froze for a migration that has been rolled back since. What is
   * frozen for a migration that nobody here knows stays as it is: whether its device runs elsewhere
   * cannot be known.
   */
  void thawLeftOvers(Collection<SessionSnapshot> sessions) {
    try {
      freezer
          .thawLeftOvers(
              entry ->
                  sessions.stream()
                      .noneMatch(
                          session ->
                              session.key().toString().equals(entry.migration())
                                  && session.state() == SessionState.SOURCE_ROLLED_BACK))
          .forEach(entry -> LOG.infof("thawed %s, left frozen by an earlier agent", entry));
      for (FreezerLedger.Entry entry : freezer.frozen()) {
        if (sessions.stream()
            .noneMatch(session -> session.key().toString().equals(entry.migration()))) {
          LOG.errorf(
              "cgroup %s is frozen for the migration %s, of which this agent's journal knows"
                  + " nothing. It stays frozen, because the device %s may run elsewhere. If it does"
                  + " not, write 0 to its cgroup.freeze; else end its processes.",
              entry.cgroup(), entry.migration(), entry.device());
        }
      }
    } catch (IOException failure) {
      LOG.error("cgroups that an earlier agent froze could not all be thawed", failure);
    }
  }

  @Override
  public void close() {
    desk.close();
  }
}
