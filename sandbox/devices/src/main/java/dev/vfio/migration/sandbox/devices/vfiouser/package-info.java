/**
 * The server side of the vfio-user protocol, as far as a migration client needs it. May not know
 * what a register means.
 */
package dev.vfio.migration.sandbox.devices.vfiouser;
