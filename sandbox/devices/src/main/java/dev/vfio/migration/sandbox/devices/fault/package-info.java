/** Faults that can be set on demand. May not call back into the device. */
package dev.vfio.migration.sandbox.devices.fault;
