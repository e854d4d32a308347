package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.content.StateGeometry;

/**
 * How a device is made. Immutable.
 *
 * @param seed of the sequence that a fresh device begins
 * @param areaSize bytes of the region's data area
 * @param pagesPerReport the most that one dirty bitmap covers; a multiple of 64
 * @param initialPace pages of device state a step (fixed-point) until the first SETUP
 * @param devicePace the same from SETUP on
 * @param windowPace pages of the DMA window a step (fixed-point)
 */
public record DeviceSettings(
    StateGeometry geometry,
    long seed,
    int areaSize,
    int pagesPerReport,
    long initialPace,
    long devicePace,
    long windowPace) {}
