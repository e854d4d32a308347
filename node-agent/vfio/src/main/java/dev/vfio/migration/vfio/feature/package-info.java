/** The v2 migration interface: {@code VFIO_DEVICE_FEATURE} and the data file (Linux 5.18). */
package dev.vfio.migration.vfio.feature;
