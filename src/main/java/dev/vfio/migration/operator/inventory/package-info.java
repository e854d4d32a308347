/**
 * The VfioNode objects: which VFIO devices the nodes have, as their agents list them. No migration
 * depends on them, and this package knows nothing of decisions but what a left-over state is.
 */
package dev.vfio.migration.operator.inventory;
