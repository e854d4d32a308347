/**
 * The VfioNode objects: which VFIO devices the nodes have, as their agents list them. Nothing of a
 * migration depends on them.
 */
package dev.vfio.migration.operator.inventory;
