package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.freezer.Cgroups;
import dev.vfio.migration.vfio.freezer.Freezer;
import dev.vfio.migration.vfio.freezer.FreezerLedger;
import dev.vfio.migration.vfio.holder.ConfigurationSpace;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.node.KernelDirectory;
import dev.vfio.migration.vfio.node.OfferedDevices;
import dev.vfio.migration.vfio.transfer.DeviceDescriptors;
import dev.vfio.migration.vfio.transfer.KernelWorkload;
import dev.vfio.migration.vfio.transfer.WorkloadListener;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jboss.logging.Logger;

/**
 * The kernel's devices of this node, and the workloads that use them or wait for them. A device
 * that is free and can migrate is offered to workloads at its socket.
 */
final class KernelNode implements KernelSide {
  private static final Logger LOG = Logger.getLogger(KernelNode.class);

  /** A workload says who it is as soon as it has connected. */
  private static final Duration HELLO_TIMEOUT = Duration.ofSeconds(10);

  private final SysfsDevices inventory;
  private final Holders holders;
  private final KernelDirectory directory;
  private final WorkloadListener listener;
  private final Freezer freezer;
  private final AgentConfig config;
  private final int pageSize;
  private final OfferedDevices offers;

  KernelNode(AgentConfig config, KernelFiles files, int pageSize) throws IOException {
    this.config = config;
    this.pageSize = pageSize;
    this.inventory = new SysfsDevices(files.sysfs(), files.devices());
    Processes processes = new Processes(files.proc());
    Cgroups cgroups = new Cgroups(config.cgroupDirectory(), processes);
    this.holders =
        new Holders(
            processes,
            files.sysfs(),
            Holders.DEVICE_LINK,
            new ConfigurationSpace(),
            cgroups::domain);
    Set<Integer> users = config.handoverUsers().orElse(Set.of());
    this.freezer =
        new Freezer(
            cgroups,
            processes,
            new FreezerLedger(config.journalDirectory().resolve("frozen")),
            config.workloadTimeout());
    this.listener =
        new WorkloadListener(
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
            files.devices(),
            config.deviceAccess(),
            pageSize,
            config.deviceLookTimeout(),
            System::nanoTime);
    this.offers = new OfferedDevices(inventory, listener);
  }

  /**
   * For the listener, beside its thread: a driver that hangs here keeps that one device waiting.
   */
  private boolean isHeldBy(String device, long process) throws DeviceException {
    Optional<NodeDevice> known = inventory.find(device);
    if (known.isEmpty()) {
      return false;
    }
    Optional<DeviceDescriptors> open = directory.openHere(device);
    Optional<Holder> holder =
        open.isPresent() ? holders.of(known.get(), open.get().device()) : holders.of(known.get());
    return holder.filter(found -> found.together().contains(process)).isPresent();
  }

  private boolean received(Holder holder, String migration) throws DeviceException {
    try {
      return listener.received(holder, migration);
    } catch (IOException unknown) {
      throw new DeviceException(
          DeviceException.Kind.UNREACHABLE,
          0,
          String.format(
              "whether %s was given the device %s for the migration %s cannot be found out: %s."
                  + " Nothing was done to the device.",
              holder.name(), holder.device().id(), migration, unknown.getMessage()),
          unknown);
    }
  }

  @Override
  public Workloads workloads(Duration connectTimeout) {
    return workloads(holders, connectTimeout);
  }

  @Override
  public Workloads listedWorkloads() {
    return workloads(holders.forListing(), Duration.ZERO);
  }

  private Workloads workloads(Holders found, Duration connectTimeout) {
    KernelWorkload.NodeParts parts =
        new KernelWorkload.NodeParts(
            found,
            freezer,
            listener,
            directory::openHere,
            pageSize,
            connectTimeout,
            config.workloadTimeout());
    return device ->
        new KernelWorkload(
            inventory
                .find(device)
                .orElseThrow(
                    () -> new WorkloadException(0, inventory.explainAbsence(device), null)),
            parts);
  }

  @Override
  public List<String> ids() {
    return directory.ids();
  }

  @Override
  public Optional<Entry> look(String id, boolean named) {
    Optional<Entry> entry = directory.look(id, named);
    entry.ifPresent(offers::lookedAt);
    return entry;
  }

  @Override
  public void followDevices() {
    try {
      offers.follow();
    } catch (IOException | RuntimeException failure) {
      // A scheduled task that throws is never run again.
      LOG.error("the devices of the kernel could not be looked at", failure);
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

  @Override
  public void offerToThoseWhoCameBack() {
    try {
      offers.reofferExistingSockets();
    } catch (RuntimeException failure) {
      LOG.error("workloads that hold a device of an earlier agent cannot come back", failure);
    }
  }

  @Override
  public void thawLeftOvers(Collection<SessionSnapshot> sessions) {
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
    } catch (IOException failure) {
      LOG.error("cgroups that an earlier agent froze could not all be thawed", failure);
    }
    forgetUnknown(sessions);
  }

  private void forgetUnknown(Collection<SessionSnapshot> sessions) {
    try {
      freezer.forgetEnded(
          entry -> isUnknown(entry, sessions),
          entry ->
              LOG.infof(
                  "removed %s: it said that cgroup %s was frozen for the migration %s, of which"
                      + " this agent's journal knows nothing; process %d has ended, and the"
                      + " cgroup is not frozen",
                  freezer.file(entry), entry.cgroup(), entry.migration(), entry.process()));
    } catch (IOException failure) {
      LOG.error("what is left of unknown migrations could not all be looked at", failure);
    }
    try {
      for (FreezerLedger.Entry entry : freezer.frozen()) {
        if (isUnknown(entry, sessions)) {
          LOG.errorf(
              "cgroup %s is frozen for the migration %s, of which this agent's journal knows"
                  + " nothing. It stays frozen, because the device %s may run elsewhere. If it does"
                  + " not, write 0 to its cgroup.freeze; else end its processes, and then write 0"
                  + " there. The file %s says so; it goes when the agent starts after that, or can"
                  + " be removed.",
              entry.cgroup(), entry.migration(), entry.device(), freezer.file(entry));
        }
      }
    } catch (IOException failure) {
      LOG.error("what is frozen cannot be listed", failure);
    }
  }

  private static boolean isUnknown(
      FreezerLedger.Entry entry, Collection<SessionSnapshot> sessions) {
    return sessions.stream()
        .noneMatch(session -> session.key().toString().equals(entry.migration()));
  }

  @Override
  public boolean canHandOver() {
    return listener.serves();
  }

  @Override
  public void close() {
    listener.close();
  }
}
