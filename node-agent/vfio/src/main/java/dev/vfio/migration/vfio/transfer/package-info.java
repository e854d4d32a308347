/** Hands a loaded device and its memory to the workload that waits for it. */
package dev.vfio.migration.vfio.transfer;
