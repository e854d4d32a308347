/**
 * Access to a VFIO device, below any migration interface: what the kernel gives by ioctl, pread,
 * pwrite and mmap, and a vfio-user server by messages. {@code RegionInfoLayout} has how both
 * describe a region.
 *
 * <p>May know no migration interface and no way to open a device.
 */
package dev.vfio.migration.vfio.access;
