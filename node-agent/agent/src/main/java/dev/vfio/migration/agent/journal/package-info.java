/**
 * What sessions need of a disk: a journal for each of them, and the highest fencing number. These
 * are interfaces; {@code journal.file} implements them with files. They know the entries of {@code
 * agent.machine} and nothing of their form on disk.
 */
package dev.vfio.migration.agent.journal;
