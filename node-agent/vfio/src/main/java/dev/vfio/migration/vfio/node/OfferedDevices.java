package dev.vfio.migration.vfio.node;

import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.transfer.WorkloadListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Which devices of this node workloads may wait for at its socket. Opens no device.
 *
 * <p>Safe for use by several threads, but for {@link #follow()}, which is one thread's.
 */
public final class OfferedDevices {
  private static final System.Logger LOG = System.getLogger(OfferedDevices.class.getName());

  private final SysfsDevices inventory;
  private final WorkloadListener listener;

  /** Used by the thread that calls {@link #follow()}. */
  private Set<NodeDevice> seen = Set.of();

  /** Does no I/O. */
  public OfferedDevices(SysfsDevices inventory, WorkloadListener listener) {
    this.inventory = inventory;
    this.listener = listener;
  }

  /** Offers a device that a look found free and able to migrate. */
  public void lookedAt(Entry entry) {
    if (entry.description() != null && !entry.busy()) {
      offer(entry.id());
    }
  }

  /**
   * Offers devices that were created since the last call, and withdraws those that do not exist any
   * more. A new device is not opened to see what it can do, because whoever created it is about to
   * open it.
   *
   * @throws IOException where the listener is closed
   * @throws UncheckedIOException where sysfs cannot be read
   */
  public void follow() throws IOException {
    List<NodeDevice> present = inventory.list();
    present.stream().filter(device -> !seen.contains(device)).forEach(device -> offer(device.id()));
    Set<String> ids = present.stream().map(NodeDevice::id).collect(Collectors.toSet());
    for (String offered : listener.offered()) {
      if (!ids.contains(offered)) {
        listener.withdraw(offered);
      }
    }
    seen = Set.copyOf(present);
  }

  /**
   * Offers every device whose socket an earlier agent left, so that workloads that were given such
   * a device can reattach at once.
   *
   * @throws UncheckedIOException where sysfs cannot be read
   */
  public void reofferExistingSockets() {
    inventory.list().stream()
        .map(NodeDevice::id)
        .filter(id -> Files.exists(listener.socket(id)))
        .forEach(this::offer);
  }

  private void offer(String id) {
    try {
      listener.offer(id);
    } catch (IOException failure) {
      LOG.log(
          System.Logger.Level.ERROR,
          String.format(
              "no workload can wait for %s at %s: it can be no destination",
              id, listener.socket(id)),
          failure);
    }
  }
}
