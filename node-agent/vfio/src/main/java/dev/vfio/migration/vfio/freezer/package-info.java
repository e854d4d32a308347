/** Makes the processes of a workload stand still, by the freezer of cgroup v2. */
package dev.vfio.migration.vfio.freezer;
