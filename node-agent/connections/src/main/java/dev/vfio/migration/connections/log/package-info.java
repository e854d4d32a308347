/**
 * What stands on a log line: a message that is one line, the migration that it belongs to, and an
 * exception, whose messages are one line each. May not know what is logged.
 */
package dev.vfio.migration.connections.log;
