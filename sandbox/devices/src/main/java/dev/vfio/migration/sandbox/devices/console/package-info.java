/** The console of a simulated device, for tests and demos: status, faults, rates, audit. */
package dev.vfio.migration.sandbox.devices.console;
