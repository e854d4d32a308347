/**
 * Which process holds a device, and a duplicate of the descriptor that it holds.
 *
 * <p>Reads {@code /proc} and sysfs, and tells devices apart by their PCI ids. May know no migration
 * interface; a holder is never stopped here.
 */
package dev.vfio.migration.vfio.holder;
