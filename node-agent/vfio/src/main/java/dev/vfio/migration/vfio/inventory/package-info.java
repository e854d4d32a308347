/** Which VFIO devices this node has, by sysfs. Opens no device. */
package dev.vfio.migration.vfio.inventory;
