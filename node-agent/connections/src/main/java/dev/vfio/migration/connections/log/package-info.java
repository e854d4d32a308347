/** The migration that a log line belongs to. May not know what is logged. */
package dev.vfio.migration.connections.log;
