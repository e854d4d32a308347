/**
 * The content of a workload's DMA windows, read and written through the files behind them, which
 * are never mapped. May not know devices.
 */
package dev.vfio.migration.vfio.memory;
