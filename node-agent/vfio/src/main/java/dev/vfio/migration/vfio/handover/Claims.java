package dev.vfio.migration.vfio.handover;

import java.io.IOException;

/**
 * Looks whether a process holds a device: what it says of itself is not believed. Asked by the
 * desk's thread.
 */
@FunctionalInterface
public interface Claims {

  /**
   * Whether the process is one of those that hold the device. Changes nothing.
   *
   * @param device its id
   * @param process number of the process that says so
   * @throws IOException where that cannot be found out
   */
  boolean holds(String device, long process) throws IOException;
}
