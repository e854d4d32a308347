/**
 * Makes the processes of a workload stand still and run again, by the freezer of cgroup v2, with a
 * ledger on the disk of what is frozen. Of a device it may know the id and the holder.
 */
package dev.vfio.migration.vfio.freezer;
