package dev.vfio.migration.vfio.transfer;

import java.io.IOException;

/**
 * Looks whether a process holds a device: what it says of itself is not believed. Asked beside the
 * listener's thread, for one process at a time at each device; may wait for a driver.
 */
@FunctionalInterface
public interface HolderCheck {

  /**
   * Whether the process is one of those that hold the device. Changes nothing.
   *
   * @param device its id
   * @param process number of the process that says so
   * @throws IOException where that cannot be found out
   */
  boolean holds(String device, long process) throws IOException;
}
