/** The vfio-user protocol, the server side of it that a migration client needs. */
package dev.vfio.migration.sandbox.devices.vfiouser;
