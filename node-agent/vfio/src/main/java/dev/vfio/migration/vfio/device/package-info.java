/**
 * A device that can migrate, whatever interface it speaks: {@link
 * dev.vfio.migration.vfio.device.MigratableDevice} with the ten states of the 2018 interface, its
 * description and its failures; and what more than one interface needs, the model of a PCI device
 * ({@code PciModel}) and the bitmaps of dirty pages ({@code DirtyBitmap}, {@code DirtyRuns}).
 *
 * <p>The interfaces themselves are in {@code region} and {@code feature}. This package may not know
 * them, nor sessions, streams or Kubernetes.
 */
package dev.vfio.migration.vfio.device;
