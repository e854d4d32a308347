package dev.vfio.migration.vfio.access;

/**
 * A part of a region.
 *
 * @param offset of its first byte in the region, bytes
 * @param size bytes, at least 1
 */
public record RegionPart(long offset, long size) {}
