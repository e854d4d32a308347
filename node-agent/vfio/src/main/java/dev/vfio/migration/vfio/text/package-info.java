/**
 * Text from drivers, servers, workloads and file names, made fit for a message, a log line or a
 * status. May know nothing else.
 */
package dev.vfio.migration.vfio.text;
