package dev.vfio.migration.agent.node;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** All devices of the node: those of its kernel, and those that processes serve by vfio-user. */
final class NodeDevices implements DeviceDirectory {
  private final DeviceDirectory served;
  private final DeviceDirectory kernel;

  NodeDevices(DeviceDirectory served, DeviceDirectory kernel) {
    this.served = served;
    this.kernel = kernel;
  }

  /** Whether that is the name of a device that a process serves. */
  static boolean isServed(String id) {
    return id.startsWith(VfioUserDirectory.ID_PREFIX);
  }

  private DeviceDirectory of(String id) {
    return isServed(id) ? served : kernel;
  }

  @Override
  public List<String> ids() {
    List<String> all = new ArrayList<>(kernel.ids());
    all.addAll(served.ids());
    return all;
  }

  @Override
  public Optional<Entry> look(String id, boolean named) {
    return of(id).look(id, named);
  }

  @Override
  public MigratableDevice open(String id) throws DeviceException {
    return of(id).open(id);
  }

  @Override
  public MigratableDevice open(String id, MigrationEnd end, String migration)
      throws DeviceException {
    return of(id).open(id, end, migration);
  }

  @Override
  public Continuity continuity(String id) {
    return of(id).continuity(id);
  }
}
