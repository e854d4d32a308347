/**
 * The content of a workload's DMA windows, read and written through the files behind them, which
 * are never mapped, and whether the node has memory for it. May not know devices.
 */
package dev.vfio.migration.vfio.memory;
