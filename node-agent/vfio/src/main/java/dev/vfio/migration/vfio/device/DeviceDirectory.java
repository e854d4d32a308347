package dev.vfio.migration.vfio.device;

import java.util.List;

/** The devices of this node. Safe for use by several threads. */
public interface DeviceDirectory {

  /** One device of this node; exactly one of {@code description} and {@code problem} is set. */
  record Entry(String id, DeviceDescription description, DeviceException problem) {}

  /**
   * Looks at every device without changing its state. A device that cannot migrate is listed with
   * the reason.
   */
  List<Entry> list();

  /**
   * Opens a device for migration.
   *
   * @throws DeviceException UNKNOWN_DEVICE, NOT_MIGRATABLE, BUSY or UNREACHABLE; PROTOCOL_VIOLATION
   *     where the device describes itself against the rules
   */
  MigratableDevice open(String id) throws DeviceException;
}
