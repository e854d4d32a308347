package dev.vfio.migration.agent.machine;

/**
 * A DMA window without its place on this node: what both ends must agree on.
 *
 * @param name equal on both ends
 * @param iova bytes
 * @param size bytes
 */
public record WindowSpec(String name, long iova, long size) {}
