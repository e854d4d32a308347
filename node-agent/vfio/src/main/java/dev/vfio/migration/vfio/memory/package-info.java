/** The workload's DMA memory, as the agent reaches it. */
package dev.vfio.migration.vfio.memory;
