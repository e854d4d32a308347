/**
 * The v2 migration interface: {@code VFIO_DEVICE_FEATURE}, the states of the kernel hop by hop, and
 * the data file (Linux 5.18).
 *
 * <p>Reaches the device by {@code access} alone; may not know how the device was opened or who
 * holds it.
 */
package dev.vfio.migration.vfio.feature;
