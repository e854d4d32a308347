package dev.vfio.migration.vfio.node;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What {@link KernelDirectory} remembers of one device, and when that is to be looked at again.
 *
 * <ul>
 *   <li>That it cannot migrate is looked at again where somebody asks for it by name, because a
 *       driver can be set up later.
 *   <li>What state it was left in is looked at again once somebody has used it.
 *   <li>A device that was just made, or was in use a moment ago, is left alone for {@link
 *       #LEFT_ALONE}: whoever it was made for may be about to open it, or its user may come back.
 * </ul>
 *
 * <p>The thread that has locked {@link #lock} uses it, but for {@link #opened}.
 */
final class KnownDevice {
  /** Longer than it takes from a device's making to its being opened by its user. */
  static final Duration LEFT_ALONE = Duration.ofSeconds(20);

  /** A device that is open in this agent. */
  record Opened(KernelAccess access, MigratableDevice device, Continuity continuity) {}

  /**
   * What distinguishes a device from one that is made later in its place.
   *
   * @param directory the kernel's identity of its directory in sysfs
   */
  record Identity(NodeDevice device, Object directory) {
    static Identity of(NodeDevice device) throws DeviceException {
      try {
        return new Identity(
            device, Files.readAttributes(device.sysfs(), BasicFileAttributes.class).fileKey());
      } catch (IOException removed) {
        throw new DeviceException(
            Kind.UNKNOWN_DEVICE,
            0,
            "device "
                + device.id()
                + " was removed while it was looked at: "
                + removed.getMessage(),
            removed);
      }
    }
  }

  final ReentrantLock lock = new ReentrantLock();
  Identity lookedAt;
  DeviceDescription description;
  DeviceException problem;
  volatile Opened opened;
  private Identity seen;
  private long seenAtNanos;

  /** The state that the last look, or this agent, left it in; null where nothing was left. */
  DeviceState left;

  private long lookedAtNanos;
  private boolean usedSince;
  private long usedAtNanos;
  private Opened lastUse;

  /** Whether it was first seen less than {@link #LEFT_ALONE} ago. */
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

  /** Somebody has it open, so the state that it was left in is not known any more. */
  void used(long now) {
    left = null;
    usedSince = true;
    usedAtNanos = now;
  }

  /** Nobody has it open. This agent may have been its last user. */
  void free(long now) {
    if (opened != null && opened != lastUse) {
      lastUse = opened;
      used(now);
      MigratableDevice device = opened.device();
      left = device.stateKnown() && device.state().leftOver() ? device.state() : null;
    }
  }

  void lookedAtFree(DeviceLook look, long now) {
    // A reset would have made it run: a device that stands still was saved, or loaded and given up.
    DeviceState found = look.stopped() ? DeviceState.SAVE_COMPLETED : look.state();
    left = found != null && found.leftOver() ? found : null;
    lookedAtNanos = now;
    usedSince = false;
  }

  /** The device cannot migrate, as its driver said, which may change. */
  void refusedWhenFree(long now) {
    left = null;
    lookedAtNanos = now;
    usedSince = false;
  }

  /** Whether a free device is to be looked at again. */
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
