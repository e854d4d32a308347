/** Protocols of one JSON object a line over Unix sockets. May not know which protocol. */
package dev.vfio.migration.sandbox.devices.lines;
