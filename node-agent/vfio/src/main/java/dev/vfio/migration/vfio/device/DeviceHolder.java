package dev.vfio.migration.vfio.device;

/**
 * The process that holds a device, as far as it is shown to people. Process ids are those of the
 * host.
 *
 * @param pid of the process
 * @param command name of its program
 * @param cgroup its cgroup below the hierarchy's root, such as {@code /kubepods/pod1/c2}; empty
 *     where it is not known
 * @param virtualMachineMonitor whether it runs a virtual machine, whose state includes the device's
 * @param user its user id
 */
public record DeviceHolder(
    long pid, String command, String cgroup, boolean virtualMachineMonitor, int user) {}
