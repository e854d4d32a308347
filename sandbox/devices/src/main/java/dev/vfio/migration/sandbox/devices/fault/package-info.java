/** What can be made to go wrong on demand. */
package dev.vfio.migration.sandbox.devices.fault;
