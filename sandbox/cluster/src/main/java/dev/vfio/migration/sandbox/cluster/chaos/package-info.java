/**
 * The program behind {@code sandbox/chaos --processes}: migrations of the sandbox cluster's real
 * processes, with faults at every phase, judged by the devices' own logs. Knows the cluster and
 * what users see; it may not know the code of operator, agent or devices.
 */
package dev.vfio.migration.sandbox.cluster.chaos;
