/** The workload that uses a device, and the protocol that reaches it. */
package dev.vfio.migration.vfio.workload;
