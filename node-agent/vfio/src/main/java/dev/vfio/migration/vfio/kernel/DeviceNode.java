package dev.vfio.migration.vfio.kernel;

/** The kinds of node in {@code /dev} by which a device is opened. */
enum DeviceNode {
  /** {@code /dev/vfio/GROUP}, with a container and its type 1 IOMMU. */
  GROUP,
  /** {@code /dev/vfio/devices/vfioN}, with an address space of an iommufd. */
  CHARACTER_DEVICE
}
