/**
 * The chunks in which a device hands its state out and takes it in; opaque to whoever carries them.
 */
package dev.vfio.migration.sandbox.devices.chunk;
