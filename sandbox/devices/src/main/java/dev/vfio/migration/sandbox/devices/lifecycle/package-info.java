/** The ten device states and the arrows between them. */
package dev.vfio.migration.sandbox.devices.lifecycle;
