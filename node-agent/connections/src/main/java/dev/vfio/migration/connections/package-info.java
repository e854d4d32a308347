/**
 * Limits for connections of unknown callers, for every port of agent and operator: their number in
 * all and for each address, the time to authenticate, log lines and file descriptors.
 *
 * <p>May know neither VFIO nor Kubernetes, nor which program listens.
 */
package dev.vfio.migration.connections;
