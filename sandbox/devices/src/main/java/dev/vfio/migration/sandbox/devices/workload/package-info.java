/**
 * The workload that uses the device, and the protocol by which it is paused and given the device.
 * Stands in for a program on a node; may not know the agent.
 */
package dev.vfio.migration.sandbox.devices.workload;
