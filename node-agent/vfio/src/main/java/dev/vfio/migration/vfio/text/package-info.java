/** Text that somebody else wrote, made fit for a message, a log line or a status. */
package dev.vfio.migration.vfio.text;
