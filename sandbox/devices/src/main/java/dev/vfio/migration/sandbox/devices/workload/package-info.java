/** The workload that uses the device, and the protocol by which it is paused and handed over. */
package dev.vfio.migration.sandbox.devices.workload;
