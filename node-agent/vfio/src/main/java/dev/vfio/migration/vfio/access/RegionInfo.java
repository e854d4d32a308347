package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;

/**
 * What {@code VFIO_DEVICE_GET_REGION_INFO} answers about one region. Only its length was checked.
 *
 * @param index of the region
 * @param readable {@code VFIO_REGION_INFO_FLAG_READ}
 * @param writable {@code VFIO_REGION_INFO_FLAG_WRITE}
 * @param mappable {@code VFIO_REGION_INFO_FLAG_MMAP}
 * @param size bytes, unsigned; 0 for a region that is not there
 * @param offset base of the region in the descriptor that serves it, bytes, unsigned
 * @param firstCapability offset of the first capability from the start of {@code structure}, 0
 *     where it has none, unsigned 32 bits
 * @param structure the whole {@code vfio_region_info} with the capabilities behind it, in the
 *     host's byte order; read only
 */
public record RegionInfo(
    int index,
    boolean readable,
    boolean writable,
    boolean mappable,
    long size,
    long offset,
    long firstCapability,
    ByteBuffer structure) {}
