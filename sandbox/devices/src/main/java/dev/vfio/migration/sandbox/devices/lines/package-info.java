/** Protocols of one JSON object a line over Unix sockets. */
package dev.vfio.migration.sandbox.devices.lines;
