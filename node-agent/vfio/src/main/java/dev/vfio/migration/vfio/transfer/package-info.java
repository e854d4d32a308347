/**
 * Transfers a loaded device and its memory to the workload that waits for it, and reaches the one
 * that uses it. A listener with one thread owns the sockets. For each device a {@code
 * DeviceEndpoint} performs what the machine in {@code transfer.machine} wants, and tells the
 * machine what happened. What may wait, for a disk, a driver or a workload, delays that one device
 * alone. Knows nothing of sessions or of the decision.
 */
package dev.vfio.migration.vfio.transfer;
