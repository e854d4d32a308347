/**
 * The console of a simulated device: its status, its verification of every byte and step, and
 * faults on demand. Knows the console's protocol and no class of the device.
 */
package dev.vfio.migration.sandbox.cluster.console;
