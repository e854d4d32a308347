/**
 * When a copy is good enough to pause the workload, and when it never will be. Pure: measurements
 * in, verdict out; no clock, no thread. Knows neither phases nor what follows from a verdict.
 */
package dev.vfio.migration.operator.convergence;
