/**
 * The workload that uses a device, the protocol by which the agent asks it to pause, resume, take
 * and release, and the DMA windows that it declares. No workload is trusted.
 *
 * <p>May not know how a device is opened, nor what its memory holds.
 */
package dev.vfio.migration.vfio.workload;
