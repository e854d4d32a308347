/**
 * What the operator records of a migration: immutable groups (phases, handover, devices, progress,
 * pause, conditions), the draft in which one decision changes them, and {@link
 * dev.vfio.migration.operator.status.StatusWriter}, which alone turns them into the fields of the
 * CRD and back. Pure: no clock, no network, no thread. Knows nothing of commands and of what a
 * phase decides.
 */
package dev.vfio.migration.operator.status;
