/**
 * Which process holds a device, and a duplicate of the descriptor that it holds.
 *
 * <p>Reads {@code /proc} and sysfs. May know no migration interface, but for {@code
 * region.PciModel}, which tells devices apart by their PCI ids; a holder is never stopped here.
 */
package dev.vfio.migration.vfio.holder;
