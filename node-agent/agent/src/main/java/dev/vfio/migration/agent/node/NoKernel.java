package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** A kernel that has no VFIO, or whose devices are none of this agent's business. */
final class NoKernel implements KernelSide {
  private static final int MAX_SHOWN_NAME = 80;

  @Override
  public List<String> ids() {
    return List.of();
  }

  @Override
  public Optional<Entry> look(String id, boolean named) {
    return Optional.empty();
  }

  @Override
  public MigratableDevice open(String id) throws DeviceException {
    throw new DeviceException(Kind.UNKNOWN_DEVICE, 0, absence(id));
  }

  @Override
  public Workloads listedWorkloads() {
    return workloads(Duration.ZERO);
  }

  @Override
  public Workloads workloads(Duration connectTimeout) {
    return device -> {
      throw new IOException(absence(device));
    };
  }

  private static String absence(String id) {
    String printable = id.replaceAll("[^\\x21-\\x7e]", "?");
    return "device "
        + (printable.length() <= MAX_SHOWN_NAME
            ? printable
            : printable.substring(0, MAX_SHOWN_NAME) + "...")
        + " is not known on this node: it has devices named "
        + VfioUserDirectory.ID_PREFIX
        + "NAME only, because it has no /dev/vfio or its agent is told by agent.kernel-devices not"
        + " to look at the kernel's. Nothing was touched.";
  }

  @Override
  public void offerToThoseWhoCameBack() {
    // There is nothing that anybody could hold.
  }

  @Override
  public void thawLeftOvers(Collection<SessionSnapshot> sessions) {
    // Nothing is ever frozen for a device that a process serves.
  }

  @Override
  public void followDevices() {
    // There is nothing to follow.
  }

  @Override
  public boolean canHandOver() {
    return true;
  }

  @Override
  public void close() {
    // Nothing was opened.
  }
}
