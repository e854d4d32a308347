package dev.vfio.migration.vfio.workload;

import java.nio.file.Path;

/**
 * A piece of the workload's memory that the device reads and writes.
 *
 * @param name equal on both ends
 * @param iova where the device sees it, bytes; a multiple of the page size
 * @param size bytes, a multiple of the page size, at least one page
 * @param file the shared file that backs it, mapped from its offset 0
 */
public record DmaWindow(String name, long iova, long size, Path file) {}
