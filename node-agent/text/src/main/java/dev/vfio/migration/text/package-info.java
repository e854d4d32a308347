/**
 * Text that somebody else wrote, made fit for a message, a log line or a status. Knows the JDK
 * alone, and neither who wrote a text nor where it goes.
 */
package dev.vfio.migration.text;
