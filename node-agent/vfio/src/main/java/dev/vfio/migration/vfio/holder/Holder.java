package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.util.Set;

/**
 * Who holds a device: a process with an open descriptor of it.
 *
 * @param device that it holds
 * @param process its number
 * @param startTime in clock ticks since the machine was started; with the number it distinguishes
 *     the process from every other
 * @param command its name, as the kernel shortens it
 * @param cgroup in the unified hierarchy, as {@code /proc} names it; empty where it has none
 * @param user its effective user id
 * @param virtualMachineMonitor whether it is one, or shares the device with one
 * @param descriptor number of the device's descriptor in that process
 * @param file the kernel's name of what is behind that descriptor
 * @param together numbers of all processes that share this open file, itself among them; they are
 *     in one cgroup
 * @param otherDevices how many other VFIO devices these processes hold
 */
public record Holder(
    NodeDevice device,
    long process,
    long startTime,
    String command,
    String cgroup,
    int user,
    boolean virtualMachineMonitor,
    int descriptor,
    String file,
    Set<Long> together,
    int otherDevices) {
  public Holder {
    together = Set.copyOf(together);
  }

  /** For messages: {@code process 4711 (dpdk-app)}. */
  public String name() {
    return "process " + process + " (" + command + ")";
  }

  /** Whether it is the process with that number that was started then. */
  public boolean is(long otherProcess, long otherStartTime) {
    return process == otherProcess && startTime == otherStartTime;
  }
}
