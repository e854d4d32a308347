/**
 * Journals and the fencing number as files beneath one directory, durable before an append returns.
 * What is damaged is reported and never taken for absent. The names of files and entries and the
 * bytes of entries never change. Knows the entries of {@code agent.machine} and whose they are;
 * nothing of {@code agent.session}, of devices and of streams.
 */
package dev.vfio.migration.agent.journal.file;
