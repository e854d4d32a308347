/** The log by which the handover is judged. */
package dev.vfio.migration.sandbox.devices.log;
