/**
 * Whether the operator does its work, for probes; what it has done, for metrics; and what callers
 * of that port may hold. Changes nothing: no migration depends on it.
 */
package dev.vfio.migration.operator.health;
