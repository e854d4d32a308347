package dev.vfio.migration.agent.node;

import java.nio.file.Path;

/**
 * Where the kernel shows its devices and processes.
 *
 * @param devices with the nodes of groups and containers
 * @param sysfs where sysfs is mounted
 * @param proc where proc is mounted, of the machine's own process namespace
 */
record KernelFiles(Path devices, Path sysfs, Path proc) {
  static final KernelFiles OF_THIS_MACHINE =
      new KernelFiles(Path.of("/dev/vfio"), Path.of("/sys"), Path.of("/proc"));
}
