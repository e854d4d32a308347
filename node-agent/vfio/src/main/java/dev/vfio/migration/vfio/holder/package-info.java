/** Who holds a device, and how to come by a duplicate of what they hold. */
package dev.vfio.migration.vfio.holder;
