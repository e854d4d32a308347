package dev.vfio.migration.vfio.device;

/**
 * A piece of the device's address space.
 *
 * @param iova of its first byte
 * @param size bytes, at least 1
 */
public record MemoryRange(long iova, long size) {}
