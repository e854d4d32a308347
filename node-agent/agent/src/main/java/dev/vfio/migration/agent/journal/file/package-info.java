/**
 * Journals and the fencing number as files beneath one directory, durable before an append returns.
 * What is damaged is reported and never taken for absent. The names of files and entries and the
 * bytes of entries never change. Nothing of sessions, devices and streams is known.
 */
package dev.vfio.migration.agent.journal.file;
