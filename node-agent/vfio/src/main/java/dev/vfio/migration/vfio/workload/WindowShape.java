package dev.vfio.migration.vfio.workload;

/**
 * Name, place and size of a DMA window, wherever its memory is.
 *
 * @param name equal on both ends
 * @param iova where the device sees it, bytes; a multiple of the page size
 * @param size bytes, a multiple of the page size, at least one page
 */
public record WindowShape(String name, long iova, long size) {}
