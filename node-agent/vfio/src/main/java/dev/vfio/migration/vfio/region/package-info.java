/**
 * The two migration regions, that of 2018 and that of Linux 5.8 to 5.17: how a region is found, its
 * registers and its data, and the device that speaks through them ({@code Region2018}, {@code
 * RegionV1}). {@code RegionRegisters} has the registers, {@code RegionData} reads chunks, {@code
 * IncomingChunk} writes them.
 *
 * <p>Reaches the device by {@code access} alone. May not share code with the simulated devices:
 * both are readings of the same text.
 */
package dev.vfio.migration.vfio.region;
