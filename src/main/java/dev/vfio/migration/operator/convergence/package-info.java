/**
 * When a copy is good enough to pause the workload, and when it never will be. Pure: values in,
 * verdict out; no clock, no thread.
 */
package dev.vfio.migration.operator.convergence;
