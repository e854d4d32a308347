/**
 * Which process holds a device, and a duplicate of the descriptor that it holds.
 *
 * <p>Reads {@code /proc} and sysfs. May know no migration interface; a holder is never stopped
 * here.
 */
package dev.vfio.migration.vfio.holder;
