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
 * Which devices of this node workloads may wait for at the hand-over desk. Opens no device.
 *
 * <p>Safe for use by several threads, but for {@link #follow()}, which is one thread's.
 */
public final class OfferedDevices {
  private static final System.Logger LOG = System.getLogger(OfferedDevices.class.getName());

  private final SysfsDevices inventory;
  private final WorkloadListener desk;

  /** Of the one thread that follows. */
  private Set<NodeDevice> seen = Set.of();

  /** Does no I/O. */
  public OfferedDevices(SysfsDevices inventory, WorkloadListener desk) {
    this.inventory = inventory;
    this.desk = desk;
  }

  /** A device was looked at: one that is free and can migrate may be waited for. */
  public void lookedAt(Entry entry) {
    if (entry.description() != null && !entry.busy()) {
      offer(entry.id());
    }
  }

  /**
   * Workloads may wait for devices that were made since the last call, before anybody asks what
   * this node has, and wait no longer for those that are gone. What a new device can is not looked
   * at: it was made for somebody who is about to open it.
   *
   * @throws IOException where the desk is closed
   * @throws UncheckedIOException where sysfs cannot be read
   */
  public void follow() throws IOException {
    List<NodeDevice> present = inventory.list();
    present.stream().filter(device -> !seen.contains(device)).forEach(device -> offer(device.id()));
    Set<String> ids = present.stream().map(NodeDevice::id).collect(Collectors.toSet());
    for (String offered : desk.offered()) {
      if (!ids.contains(offered)) {
        desk.withdraw(offered);
      }
    }
    seen = Set.copyOf(present);
  }

  /**
   * Workloads that were given a device by an earlier agent come back to where they waited: that
   * place is there again, before anything else is.
   *
   * @throws UncheckedIOException where sysfs cannot be read
   */
  public void reofferExistingSockets() {
    inventory.list().stream()
        .map(NodeDevice::id)
        .filter(id -> Files.exists(desk.socket(id)))
        .forEach(this::offer);
  }

  private void offer(String id) {
    try {
      desk.offer(id);
    } catch (IOException failure) {
      LOG.log(
          System.Logger.Level.ERROR,
          String.format(
              "no workload can wait for %s at %s: it can be no destination", id, desk.socket(id)),
          failure);
    }
  }
}
