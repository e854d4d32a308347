package dev.vfio.migration.vfio.access;

/**
 * What {@code VFIO_DEVICE_GET_INFO} answers.
 *
 * @param resettable whether the device can be reset
 * @param pci whether regions 0 to 8 are those of a PCI device
 * @param regions number of regions, 0 to 2<sup>32</sup>-1 as the device says it
 */
public record DeviceInfo(boolean resettable, boolean pci, long regions) {}
