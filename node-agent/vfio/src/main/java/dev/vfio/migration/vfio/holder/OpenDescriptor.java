package dev.vfio.migration.vfio.holder;

/**
 * A descriptor of a process that may be the device.
 *
 * @param process number of the process
 * @param startTime of the process
 * @param number of the descriptor in it
 * @param file the kernel's name of what is behind it
 * @param certain whether the kernel itself says that it is this device; else it is a device of a
 *     group that the process holds
 */
record OpenDescriptor(long process, long startTime, int number, String file, boolean certain) {
  /** The same, and the kernel says that it is the device. */
  OpenDescriptor asCertain() {
    return new OpenDescriptor(process, startTime, number, file, true);
  }

  /** For messages. */
  String name() {
    return "descriptor " + number + " of process " + process;
  }
}
