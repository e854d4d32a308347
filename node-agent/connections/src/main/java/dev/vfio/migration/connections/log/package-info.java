/** What a line of the log says of the migration that it belongs to. */
package dev.vfio.migration.connections.log;
