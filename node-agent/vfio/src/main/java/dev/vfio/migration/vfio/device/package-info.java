/**
 * A device that can migrate, whatever interface it speaks: {@link
 * dev.vfio.migration.vfio.device.MigratableDevice} with the ten states of the 2018 interface, its
 * description and its failures.
 *
 * <p>The interfaces themselves are in {@code region} and {@code feature}. This package may not know
 * them, nor sessions, streams or Kubernetes.
 */
package dev.vfio.migration.vfio.device;
