/** The console of a simulated device; nothing outside a sandbox may rely on it. */
package dev.vfio.migration.sandbox.devices.console;
