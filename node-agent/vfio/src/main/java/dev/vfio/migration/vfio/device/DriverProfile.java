package dev.vfio.migration.vfio.device;

import java.util.Set;

/**
 * What is known of the driver behind a device. Both ends must agree on all of it, because the state
 * is the driver's own format.
 *
 * @param driver name of the kernel driver that the device is bound to; empty where there is none
 * @param mdevType type of a mediated device as its parent names it; empty for every other device
 * @param flags what the v2 interface offers; empty for the other interfaces
 * @param streamVersion the driver's own name for the format of its state, which the driver at the
 *     other end can be asked about; empty where it has none
 */
public record DriverProfile(
    String driver, String mdevType, Set<MigrationFlag> flags, String streamVersion) {

  /** A device that no kernel driver stands behind. */
  public static final DriverProfile NONE = new DriverProfile("", "", Set.of(), "");

  public DriverProfile {
    flags = Set.copyOf(flags);
  }
}
