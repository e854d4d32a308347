/**
 * Makes the processes of a workload stand still and run again, by the freezer of cgroup v2, with a
 * ledger on the disk of what is frozen. May not know devices beyond their ids.
 */
package dev.vfio.migration.vfio.freezer;
