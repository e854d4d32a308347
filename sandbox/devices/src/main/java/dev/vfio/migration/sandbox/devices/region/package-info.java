/** The migration region as the 2018 text lays it out, read for the side of the device. */
package dev.vfio.migration.sandbox.devices.region;
