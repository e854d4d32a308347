/** Whether a server of this process answers those who ask. Knows neither device nor protocol. */
package dev.vfio.migration.sandbox.devices.gate;
