/**
 * What a transfer to the workload consists of, as a pure state machine for each device: which
 * workload may wait, what it is asked in which order, and what stands on the disk before it is
 * asked. Knows no socket, file, thread, clock, process or logger: events come in, actions go out,
 * and {@link dev.vfio.migration.vfio.transfer.machine.TransferAction.Handler} performs them. The
 * agent's simulation of schedules drives these very classes.
 */
package dev.vfio.migration.vfio.transfer.machine;
