package dev.vfio.migration.vfio.node;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.handover.HandedOver;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.linux.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
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
  /** Longer than it takes from a device's making to its being opened by whom it was made for. */
  private static final Duration LEFT_ALONE = Duration.ofSeconds(20);

  private final SysfsDevices inventory;
  private final Holders holders;
  private final Receipt received;
  private final Path deviceDirectory;
  private final NodeChoice choice;
  private final int pageSize;
  private final Duration turnTimeout;
  private final LongSupplier clock;
  private final Map<String, Slot> slots = new ConcurrentHashMap<>();

  /**
   * @param inventory of this node
   * @param holders finds who holds a device
   * @param received tells who was given a device
   * @param deviceDirectory {@code /dev/vfio}
   * @param choice what free devices are opened by
   * @param pageSize bytes of a page
   * @param turnTimeout how long a device that another thread looks at or opens is waited for
   * @param clock nanoseconds that pass, {@link System#nanoTime()}
   */
  public KernelDirectory(
      SysfsDevices inventory,
      Holders holders,
      Receipt received,
      Path deviceDirectory,
      NodeChoice choice,
      int pageSize,
      Duration turnTimeout,
      LongSupplier clock) {
    this.inventory = inventory;
    this.holders = holders;
    this.received = received;
    this.deviceDirectory = deviceDirectory;
    this.choice = choice;
    this.pageSize = pageSize;
    this.turnTimeout = turnTimeout;
    this.clock = clock;
  }

  /** Tells who was given a device. */
  @FunctionalInterface
  public interface Receipt {
    /** Whether that holder was given its device for that migration. */
    boolean is(Holder holder, String migration) throws DeviceException;
  }

  /** What is known of one device. Opening and looking take turns, see {@link #takeTurn}. */
  private static final class Slot {
    final ReentrantLock lock = new ReentrantLock();
    Identity lookedAt;
    DeviceDescription description;
    DeviceException problem;
    volatile Opened opened;
    private Identity seen;
    private long seenAtNanos;

    /**
     * What it was left in, by the last look or as this agent let go of it; null where in nothing.
     */
    private DeviceState left;

    private long lookedAtNanos;
    private boolean usedSince;
    private long usedAtNanos;
    private Opened lastUse;

    /** Whether it was first seen so lately that somebody may be about to open it. */
    boolean isNew(Identity identity, long now) {
      if (!identity.equals(seen)) {
        seen = identity;
        seenAtNanos = now;
      }
      return now - seenAtNanos < LEFT_ALONE.toNanos();
    }

    void remember(Identity identity, DeviceDescription found, DeviceException refusal) {
      lookedAt = identity;
      description = found;
      problem = refusal;
    }

    /** Somebody has it open, so what is known of what was left in it holds no more. */
    void used(long now) {
      left = null;
      usedSince = true;
      usedAtNanos = now;
    }

    /** Nobody has it open. This agent may have been the last that had. */
    void free(long now) {
      if (opened != null && opened != lastUse) {
        lastUse = opened;
        used(now);
        MigratableDevice device = opened.device();
        left = device.stateKnown() && device.state().leftOver() ? device.state() : null;
      }
    }

    void lookedAtFree(DeviceLook look, long now) {
      // After a reset it would run: one that was saved, or loaded and given up, stands still.
      DeviceState found = look.stopped() ? DeviceState.SAVE_COMPLETED : look.state();
      left = found != null && found.leftOver() ? found : null;
      lookedAtNanos = now;
      usedSince = false;
    }

    /** Its driver said that it cannot migrate: it may say something else once that was changed. */
    void refusedWhenFree(long now) {
      left = null;
      lookedAtNanos = now;
      usedSince = false;
    }

    /** Whether what is known of it, or what may be left in it, is to be looked at again. */
    boolean staleWhenFree(boolean wanted, long now) {
      if (wanted && left != null) {
        return true;
      }
      if (problem != null && !usedSince) {
        return wanted && now - lookedAtNanos >= LEFT_ALONE.toNanos();
      }
      return usedSince
          ? now - usedAtNanos >= LEFT_ALONE.toNanos()
          : left != null && now - lookedAtNanos >= LEFT_ALONE.toNanos();
    }
  }

  /**
   * What tells a device from one that is made later in its place.
   *
   * @param directory the kernel's identity of its directory in sysfs
   */
  private record Identity(NodeDevice device, Object directory) {
    static Identity of(NodeDevice device) throws DeviceException {
      try {
        return new Identity(
            device, Files.readAttributes(device.sysfs(), BasicFileAttributes.class).fileKey());
      } catch (IOException gone) {
        throw new DeviceException(
            Kind.UNKNOWN_DEVICE,
            0,
            "device " + device.id() + " went away while it was looked at: " + gone.getMessage(),
            gone);
      }
    }
  }

  /** A device that is open in this agent. */
  private record Opened(KernelAccess access, MigratableDevice device, Continuity continuity) {}

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
    Slot slot = slot(device.id());
    try {
      takeTurn(device.id(), slot);
    } catch (DeviceException hangs) {
      return new Entry(device.id(), null, null, hangs, device, null, false);
    }
    try {
      Opened here = slot.opened;
      long now = clock.getAsLong();
      if (here != null && here.access().isOpen()) {
        Holder sharing = found.of(device, here.access().descriptor()).orElse(null);
        return new Entry(
            device.id(), here.device().description(), null, null, device, shown(sharing), true);
      }
      Holder holder = found.of(device).orElse(null);
      if (holder != null) {
        slot.used(now);
        return lookAtHeld(slot, device, holder, found);
      }
      slot.free(now);
      return lookAtFree(slot, device, wanted, now);
    } catch (DeviceException problem) {
      boolean busy = problem.kind() == Kind.BUSY;
      return new Entry(device.id(), null, null, problem, device, null, busy);
    } finally {
      slot.lock.unlock();
    }
  }

  private Entry lookAtHeld(Slot slot, NodeDevice device, Holder holder, Holders found) {
    try {
      requireNoMonitor(device, holder);
      try (KernelAccess access = KernelAccess.adopt(device.id(), found.adopt(holder))) {
        DeviceLook look = new MigrationInterfaces(device, access, pageSize).look();
        slot.remember(Identity.of(device), look.description(), null);
        return new Entry(
            device.id(), look.description(), look.state(), null, device, shown(holder), true);
      }
    } catch (DeviceException problem) {
      return new Entry(device.id(), null, null, problem, device, shown(holder), true);
    }
  }

  private Entry lookAtFree(Slot slot, NodeDevice device, boolean wanted, long now)
      throws DeviceException {
    Identity identity = Identity.of(device);
    boolean known = identity.equals(slot.lookedAt);
    if (!known || slot.staleWhenFree(wanted, now)) {
      if (!known && !wanted && slot.isNew(identity, now)) {
        throw Kind.UNREACHABLE.exception(
            "device %s was first seen less than %s s ago and is not looked at before somebody"
                + " may have opened it. Ask again later.",
            device.id(), LEFT_ALONE.toSeconds());
      }
      try (KernelAccess access = KernelAccess.open(device, deviceDirectory, choice)) {
        DeviceLook look = new MigrationInterfaces(device, access, pageSize).look();
        slot.remember(identity, look.description(), null);
        slot.lookedAtFree(look, now);
      } catch (DeviceException problem) {
        if (problem.kind() != Kind.NOT_MIGRATABLE) {
          throw problem;
        }
        slot.remember(identity, null, problem);
        slot.refusedWhenFree(now);
      }
    }
    return slot.description == null
        ? new Entry(device.id(), null, null, slot.problem, device, null, false)
        : new Entry(device.id(), slot.description, slot.left, null, device, null, false);
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
    Slot slot = slot(id);
    takeTurn(id, slot);
    try {
      if (slot.opened != null && slot.opened.access().isOpen()) {
        throw Kind.BUSY.exception("device " + id + " is open in this agent for another migration");
      }
      Holder holder = holders.of(device).orElse(null);
      KernelAccess access =
          holder == null
              ? KernelAccess.open(device, deviceDirectory, choice)
              : adopt(device, holder, end, migration);
      MigratableDevice opened = opened(device, access, end, holder != null);
      slot.opened = new Opened(access, opened, holder == null ? Continuity.FRESH : Continuity.KEPT);
      return slot.opened.device();
    } finally {
      slot.lock.unlock();
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
    if (end == MigrationEnd.DESTINATION && !received.is(holder, migration)) {
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
    Opened here = slot(id).opened;
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
    Opened here = slot(id).opened;
    return here == null ? Continuity.UNKNOWN : here.continuity();
  }

  /** The descriptors of a device that is open in this agent; empty where it is not. */
  public Optional<HandedOver> openHere(String id) {
    Opened here = slot(id).opened;
    return here == null || !here.access().isOpen()
        ? Optional.empty()
        : Optional.of(
            new HandedOver(
                here.access().descriptor(),
                here.access().companions(),
                here.access().addressSpace(),
                here.device().description().migrationInterface()));
  }

  /**
   * Waits for the thread that uses the device now, for {@link #turnTimeout}: its driver may hang.
   */
  private void takeTurn(String id, Slot slot) throws DeviceException {
    boolean taken = false;
    try {
      taken = slot.lock.tryLock(turnTimeout.toNanos(), TimeUnit.NANOSECONDS);
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

  private Slot slot(String id) {
    return slots.computeIfAbsent(id, unused -> new Slot());
  }
}
