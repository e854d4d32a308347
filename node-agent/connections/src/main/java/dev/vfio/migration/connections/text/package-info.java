/**
 * Text that somebody else wrote, made fit for a status, an event or a log line. Knows nothing of
 * who wrote it and where it goes.
 */
package dev.vfio.migration.connections.text;
