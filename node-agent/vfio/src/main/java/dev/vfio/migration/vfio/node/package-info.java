/**
 * The VFIO devices of this node's kernel: listed, looked at, opened, and offered to workloads that
 * wait for one. Joins {@code inventory}, {@code holder}, {@code kernel} and the migration
 * interfaces; may not know sessions or streams.
 */
package dev.vfio.migration.vfio.node;
