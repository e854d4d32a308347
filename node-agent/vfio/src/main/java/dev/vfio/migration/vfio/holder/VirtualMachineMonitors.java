package dev.vfio.migration.vfio.holder;

import java.io.IOException;
import java.util.Set;

/**
 * Recognises processes that run a virtual machine. They keep a device's state in memory of their
 * own, which nobody but them can move.
 */
final class VirtualMachineMonitors {
  /** The descriptor of a virtual machine, which only its creator and whoever was given it have. */
  static final String MACHINE_LINK = "anon_inode:kvm-vm";

  private static final Set<String> NAMES =
      Set.of(
          "qemu-kvm",
          "kvm",
          "cloud-hypervisor",
          "cloud-hyperviso",
          "firecracker",
          "crosvm",
          "kvmtool",
          "lkvm",
          "stratovirt",
          "dragonball",
          "alioth");
  private static final String QEMU = "qemu-system-";

  private VirtualMachineMonitors() {}

  static boolean isOne(Processes processes, long process) throws IOException {
    return isName(processes.program(process)) || isName(processes.command(process));
  }

  private static boolean isName(String name) {
    String plain = name.endsWith(" (deleted)") ? name.substring(0, name.length() - 10) : name;
    return plain.startsWith(QEMU) || NAMES.contains(plain);
  }
}
