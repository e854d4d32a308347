/** Whether the operator does its work, for probes; and what it has done, for metrics. */
package dev.vfio.migration.operator.health;
