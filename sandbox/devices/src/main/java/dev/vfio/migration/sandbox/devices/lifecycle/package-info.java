/** The ten device states and the allowed transitions. A reading of the 2018 text of its own. */
package dev.vfio.migration.sandbox.devices.lifecycle;
