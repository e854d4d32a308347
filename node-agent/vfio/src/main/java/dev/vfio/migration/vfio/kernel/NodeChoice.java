package dev.vfio.migration.vfio.kernel;

/**
 * Which of its nodes in {@code /dev} a free device is to be opened by, where its kernel has both.
 * What it was opened by is what its next workload is handed: a program that speaks only one of the
 * two must get that one, whatever else its node offers.
 *
 * <p>Devices that somebody holds are reached through their holder's descriptor, by whichever node
 * that was opened.
 */
public enum NodeChoice {
  /** The group's, where that and a container are there, else the device's own. */
  AUTO,
  /** {@code /dev/vfio/GROUP} with a container, and nothing else. */
  GROUP,
  /** {@code /dev/vfio/devices/vfioN} with an iommufd, and nothing else. */
  CDEV
}
