package dev.vfio.migration.vfio.kernel;

/**
 * Which of its nodes in {@code /dev} a free device is opened by, where its kernel has both. Its
 * next workload is given what it was opened by: a program that speaks only one of the two must get
 * that one.
 *
 * <p>A device that a process holds is reached through the holder's descriptor, whichever node that
 * was opened by.
 */
public enum NodeChoice {
  /** The group's, where that and a container are there, else the device's own. */
  AUTO,
  /** {@code /dev/vfio/GROUP} with a container, and nothing else. */
  GROUP,
  /** {@code /dev/vfio/devices/vfioN} with an iommufd, and nothing else. */
  CDEV
}
