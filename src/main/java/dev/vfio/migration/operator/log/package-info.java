/**
 * What becomes of a log record before it is written: one line, whatever agents and objects put into
 * it. Knows nothing of migrations.
 */
package dev.vfio.migration.operator.log;
