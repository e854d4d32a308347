package dev.vfio.migration.vfio.node;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.DeviceDescriptors;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The VFIO devices of this node's kernel.
 *
 * <p>A device that a process holds is reached through a duplicate of that process's descriptor,
 * which changes nothing about it. A free device has to be opened, and its driver may reset it when
 * it is closed again. That is harmless for a device that nobody uses, but a process that opens the
 * device at that moment is refused. So what was found of a device is remembered for as long as the
 * device exists and keeps its driver; see {@link KnownDevice} for when it is looked at again.
 *
 * <p>Safe for use by several threads.
 */
public final class KernelDirectory implements DeviceDirectory {
  private final SysfsDevices inventory;
  private final Holders holders;
  private final TransferCheck transfers;
  private final Path deviceDirectory;
  private final NodeChoice choice;
  private final int pageSize;
  private final Duration turnTimeout;
  private final LongSupplier clock;
  private final Map<String, KnownDevice> devices = new ConcurrentHashMap<>();

  /**
   * @param inventory of this node
   * @param holders finds who holds a device
   * @param transfers knows which workloads were given their device
   * @param deviceDirectory {@code /dev/vfio}
   * @param choice what free devices are opened by
   * @param pageSize bytes of a page
   * @param turnTimeout how long a device that another thread looks at or opens is waited for
   * @param clock nanoseconds that pass, {@link System#nanoTime()}
   */
  public KernelDirectory(
      SysfsDevices inventory,
      Holders holders,
      TransferCheck transfers,
      Path deviceDirectory,
      NodeChoice choice,
      int pageSize,
      Duration turnTimeout,
      LongSupplier clock) {
    this.inventory = inventory;
    this.holders = holders;
    this.transfers = transfers;
    this.deviceDirectory = deviceDirectory;
    this.choice = choice;
    this.pageSize = pageSize;
    this.turnTimeout = turnTimeout;
    this.clock = clock;
  }

  /** Knows which workloads were given their device. */
  @FunctionalInterface
  public interface TransferCheck {
    /** Whether that holder was given its device for that migration. */
    boolean wasGivenTo(Holder holder, String migration) throws DeviceException;
  }

  @Override
  public List<String> ids() {
    holders.listingBegins();
    return inventory.list().stream().map(NodeDevice::id).toList();
  }

  /**
   * {@inheritDoc}
   *
   * <p>Never empty where the device was named: for a device that VFIO does not have here the entry
   * says why, and what to do.
   */
  @Override
  public Optional<Entry> look(String id, boolean named) {
    Optional<Entry> found = inventory.find(id).map(device -> looked(device, named));
    return found.isPresent() || !named ? found : Optional.of(new Entry(id, null, null, absent(id)));
  }

  private DeviceException absent(String id) {
    return Kind.UNKNOWN_DEVICE.exception(inventory.explainAbsence(id));
  }

  private Entry looked(NodeDevice device, boolean named) {
    if (named) {
      return look(device, true, holders.forOneLook());
    }
    Entry listed = look(device, false, holders.forListing());
    DeviceException problem = listed.problem();
    boolean outdated =
        problem != null
            && (problem.errno() == Errno.ESRCH.number() || problem.errno() == Errno.EBADF.number());
    // The holder has ended, or closed the device, since this listing scanned all processes.
    return outdated ? look(device, false, holders) : listed;
  }

  /**
   * @param wanted whether somebody asked for this very device
   * @param found finds who holds it
   */
  private Entry look(NodeDevice device, boolean wanted, Holders found) {
    KnownDevice known = known(device.id());
    try {
      takeTurn(device.id(), known);
    } catch (DeviceException hangs) {
      return new Entry(device.id(), null, null, hangs, device, null, false);
    }
    try {
      KnownDevice.Opened here = known.opened;
      long now = clock.getAsLong();
      if (here != null && here.access().isOpen()) {
        Holder sharing = found.of(device, here.access().descriptor()).orElse(null);
        return new Entry(
            device.id(), here.device().description(), null, null, device, shown(sharing), true);
      }
      Holder holder = found.of(device).orElse(null);
      if (holder != null) {
        known.used(now);
        return lookAtHeld(known, device, holder, found);
      }
      known.free(now);
      return lookAtFree(known, device, wanted, now);
    } catch (DeviceException problem) {
      boolean busy = problem.kind() == Kind.BUSY;
      return new Entry(device.id(), null, null, problem, device, null, busy);
    } finally {
      known.lock.unlock();
    }
  }

  private Entry lookAtHeld(KnownDevice known, NodeDevice device, Holder holder, Holders found) {
    try {
      requireNoMonitor(device, holder);
      try (KernelAccess access = KernelAccess.adopt(device.id(), found.adopt(holder))) {
        DeviceLook look = new MigrationInterfaces(device, access, pageSize).look();
        known.remember(KnownDevice.Identity.of(device), look.description(), null);
        return new Entry(
            device.id(), look.description(), look.state(), null, device, shown(holder), true);
      }
    } catch (DeviceException problem) {
      return new Entry(device.id(), null, null, problem, device, shown(holder), true);
    }
  }

  private Entry lookAtFree(KnownDevice known, NodeDevice device, boolean wanted, long now)
      throws DeviceException {
    KnownDevice.Identity identity = KnownDevice.Identity.of(device);
    boolean lookedAt = identity.equals(known.lookedAt);
    if (!lookedAt || known.staleWhenFree(wanted, now)) {
      if (!lookedAt && !wanted && known.isNew(identity, now)) {
        throw Kind.UNREACHABLE.exception(
            "device %s was first seen less than %s s ago and is not looked at before somebody"
                + " may have opened it. Ask again later.",
            device.id(), KnownDevice.LEFT_ALONE.toSeconds());
      }
      try (KernelAccess access = KernelAccess.open(device, deviceDirectory, choice)) {
        DeviceLook look = new MigrationInterfaces(device, access, pageSize).look();
        known.remember(identity, look.description(), null);
        known.lookedAtFree(look, now);
      } catch (DeviceException problem) {
        if (problem.kind() != Kind.NOT_MIGRATABLE) {
          throw problem;
        }
        known.remember(identity, null, problem);
        known.refusedWhenFree(now);
      }
    }
    return known.description == null
        ? new Entry(device.id(), null, null, known.problem, device, null, false)
        : new Entry(device.id(), known.description, known.left, null, device, null, false);
  }

  private static DeviceHolder shown(Holder holder) {
    return holder == null
        ? null
        : new DeviceHolder(
            holder.process(),
            holder.command(),
            holder.cgroup(),
            holder.virtualMachineMonitor(),
            holder.user());
  }

  @Override
  public MigratableDevice open(String id) throws DeviceException {
    return open(id, MigrationEnd.SOURCE, "");
  }

  @Override
  public MigratableDevice open(String id, MigrationEnd end, String migration)
      throws DeviceException {
    NodeDevice device = inventory.find(id).orElseThrow(() -> absent(id));
    KnownDevice known = known(id);
    takeTurn(id, known);
    try {
      if (known.opened != null && known.opened.access().isOpen()) {
        throw Kind.BUSY.exception("device " + id + " is open in this agent for another migration");
      }
      Holder holder = holders.of(device).orElse(null);
      KernelAccess access =
          holder == null
              ? KernelAccess.open(device, deviceDirectory, choice)
              : adopt(device, holder, end, migration);
      MigratableDevice opened = opened(device, access, end, holder != null);
      known.opened =
          new KnownDevice.Opened(
              access, opened, holder == null ? Continuity.FRESH : Continuity.KEPT);
      return known.opened.device();
    } finally {
      known.lock.unlock();
    }
  }

  private MigratableDevice opened(
      NodeDevice device, KernelAccess access, MigrationEnd end, boolean adopted)
      throws DeviceException {
    try {
      return new MigrationInterfaces(device, access, pageSize).open(end, adopted);
    } catch (Throwable failure) {
      access.close();
      throw failure;
    }
  }

  private KernelAccess adopt(NodeDevice device, Holder holder, MigrationEnd end, String migration)
      throws DeviceException {
    requireNoMonitor(device, holder);
    if (end == MigrationEnd.DESTINATION && !transfers.wasGivenTo(holder, migration)) {
      throw Kind.BUSY.exception(
          "device %s is in use here by %s in cgroup %s, so it can take nothing in. It was not"
              + " touched; choose a free device, or end that process.",
          device.id(), holder.name(), holder.cgroup());
    }
    return KernelAccess.adopt(device.id(), holders.adopt(holder));
  }

  private static void requireNoMonitor(NodeDevice device, Holder holder) throws DeviceException {
    if (holder.virtualMachineMonitor()) {
      throw Kind.NOT_MIGRATABLE.exception(
          "device %s belongs to a virtual machine: %s is its monitor and keeps a part of the"
              + " device's state itself, so moving the device behind its back would corrupt the"
              + " guest. Nothing was done to the device; migrate the virtual machine with its"
              + " own means.",
          device.id(), holder.name());
    }
  }

  @Override
  public boolean heldByOthers(String id) throws DeviceException {
    KnownDevice.Opened here = known(id).opened;
    if (here == null || !here.access().isOpen()) {
      throw Kind.UNREACHABLE.exception("device " + id + " is not open in this agent");
    }
    NodeDevice device = inventory.find(id).orElseThrow(() -> absent(id));
    try {
      return holders.of(device, here.access().descriptor()).isPresent();
    } catch (DeviceException unclear) {
      if (unclear.kind() == Kind.BUSY) {
        return true;
      }
      throw unclear;
    }
  }

  @Override
  public Continuity continuity(String id) {
    KnownDevice.Opened here = known(id).opened;
    return here == null ? Continuity.UNKNOWN : here.continuity();
  }

  /** The descriptors of a device that is open in this agent; empty where it is not. */
  public Optional<DeviceDescriptors> openHere(String id) {
    KnownDevice.Opened here = known(id).opened;
    return here == null || !here.access().isOpen()
        ? Optional.empty()
        : Optional.of(
            new DeviceDescriptors(
                here.access().descriptor(),
                here.access().companions(),
                here.access().addressSpace(),
                here.device().description().migrationInterface()));
  }

  /**
   * Waits for the thread that uses the device now, for {@link #turnTimeout}: its driver may hang.
   */
  private void takeTurn(String id, KnownDevice known) throws DeviceException {
    boolean taken = false;
    try {
      taken = known.lock.tryLock(turnTimeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    if (!taken) {
      throw new DeviceException(
          Kind.UNREACHABLE,
          Errno.ETIMEDOUT.number(),
          String.format(
              "device %s could not be asked: its driver has not answered another thread of this"
                  + " agent for more than %s ms. Nothing was done to the device now; see the node's"
                  + " kernel log (dmesg).",
              id, turnTimeout.toMillis()));
    }
  }

  private KnownDevice known(String id) {
    return devices.computeIfAbsent(id, unused -> new KnownDevice());
  }
}
