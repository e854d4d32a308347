/**
 * The chunks in which a device hands out and takes in its state. Their format is opaque to
 * everybody else.
 */
package dev.vfio.migration.sandbox.devices.chunk;
