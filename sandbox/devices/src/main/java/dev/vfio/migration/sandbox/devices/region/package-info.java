/**
 * The migration region as the 2018 text lays it out, read for the side of the device. May share no
 * code with the client of the region in {@code node-agent/vfio}.
 */
package dev.vfio.migration.sandbox.devices.region;
