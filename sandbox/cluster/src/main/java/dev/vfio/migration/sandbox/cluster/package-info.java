/**
 * A cluster of real processes on this machine: API server, operator, node agents and simulated
 * devices, on loopback addresses of its own. Knows how each program is started and configured;
 * knows no class of operator, agent or vfio, and no program that uses the cluster.
 */
package dev.vfio.migration.sandbox.cluster;
