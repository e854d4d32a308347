/**
 * Processes that are started, watched, and ended whatever happens to their starter: process table,
 * guard, logs. Knows nothing of Kubernetes, agents or devices.
 */
package dev.vfio.migration.sandbox.cluster.process;
