/** What becomes of a log record before it is written. */
package dev.vfio.migration.operator.log;
