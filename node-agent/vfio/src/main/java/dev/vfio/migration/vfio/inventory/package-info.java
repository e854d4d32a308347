/** Which VFIO devices this node has. */
package dev.vfio.migration.vfio.inventory;
