package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.util.List;
import java.util.Optional;

/** The devices of this node. Safe for use by several threads. */
public interface DeviceDirectory {

  /**
   * One device of this node; exactly one of {@code description} and {@code problem} is set.
   *
   * @param state null where it is not known: not every device reports it, and one that is open here
   *     is not asked. Of a free device of the kernel it is given only where an earlier use left it
   *     there: {@link DeviceState#leftOver()}
   * @param place where the device is in this node; null for a device that sysfs does not know
   * @param holder who holds the device; null where it is free or that is not known
   * @param busy whether somebody has the device open, known or not
   */
  record Entry(
      String id,
      DeviceDescription description,
      DeviceState state,
      DeviceException problem,
      NodeDevice place,
      DeviceHolder holder,
      boolean busy) {

    /** A device that sysfs does not know and whose use nobody looks at. */
    public Entry(
        String id, DeviceDescription description, DeviceState state, DeviceException problem) {
      this(id, description, state, problem, null, null, false);
    }
  }

  /** The ids of all devices of this node. Looks at none of them, so that no device can hang it. */
  List<String> ids();

  /**
   * Looks at one device without changing its state. A device that cannot migrate is listed with the
   * reason. Takes as long as the device does.
   *
   * @param named whether somebody asked for this very device, and not for all there are
   * @return empty where there is none of that name; where it was named it may also say with
   *     UNKNOWN_DEVICE why there is none and what to do
   */
  Optional<Entry> look(String id, boolean named);

  /** Looks at one device that somebody asked for. */
  default Optional<Entry> look(String id) {
    return look(id, true);
  }

  /** Looks at every device, one after the other: for who has the time. */
  default List<Entry> list() {
    return ids().stream().flatMap(id -> look(id, false).stream()).toList();
  }

  /**
   * Opens a device for migration.
   *
   * @throws DeviceException UNKNOWN_DEVICE, NOT_MIGRATABLE, BUSY or UNREACHABLE; PROTOCOL_VIOLATION
   *     where the device describes itself against the rules
   */
  MigratableDevice open(String id) throws DeviceException;

  /**
   * Opens a device for one end of a migration. The source's is the one that the workload holds; the
   * destination's is free, or was given to a workload for this very migration.
   *
   * @param migration "uid/attempt"
   * @throws DeviceException as {@link #open(String)} has it
   */
  default MigratableDevice open(String id, MigrationEnd end, String migration)
      throws DeviceException {
    return open(id);
  }

  /**
   * Whether somebody beside this process has the device open that is open here.
   *
   * @throws DeviceException where that cannot be found out
   */
  default boolean heldByOthers(String id) throws DeviceException {
    return false;
  }

  /** What is known of the time before a device was opened that is open here. */
  default Continuity continuity(String id) {
    return Continuity.UNKNOWN;
  }
}
