/**
 * What becomes of a log record before it is written: one line, whatever peers, workloads and file
 * names put into it. Knows nothing of sessions.
 */
package dev.vfio.migration.agent.log;
