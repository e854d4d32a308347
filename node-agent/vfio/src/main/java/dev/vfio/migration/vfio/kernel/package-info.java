/**
 * Access to the VFIO devices of this machine's kernel: by group, container and type 1 IOMMU, by
 * character device and iommufd, or by a descriptor that was duplicated from the process that holds
 * the device. May know no migration interface.
 *
 * <p>Source of every number and structure: {@code linux/vfio.h} and {@code linux/iommufd.h}.
 */
package dev.vfio.migration.vfio.kernel;
