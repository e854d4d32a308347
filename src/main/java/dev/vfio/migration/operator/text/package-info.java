/** Text that somebody else wrote, made fit for a status, an event or a log line. */
package dev.vfio.migration.operator.text;
