/** The workload's DMA memory, mapped into the agent. */
package dev.vfio.migration.vfio.memory;
