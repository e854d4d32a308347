package dev.vfio.migration.vfio.transfer.machine;

import java.util.Set;

/**
 * Who holds a device, as far as a transfer depends on it.
 *
 * @param process its number
 * @param startTime in clock ticks since the machine was started
 * @param name for messages
 * @param together numbers of all processes that share the open device, itself among them
 * @param virtualMachineMonitor whether one of them is
 * @param otherDevices how many other VFIO devices they hold
 */
public record HolderView(
    long process,
    long startTime,
    String name,
    Set<Long> together,
    boolean virtualMachineMonitor,
    int otherDevices) {
  public HolderView {
    together = Set.copyOf(together);
  }
}
