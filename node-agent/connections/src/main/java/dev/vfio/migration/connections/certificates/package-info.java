/**
 * The certificates by which agent and operator authenticate each other, read from a directory in
 * the kubernetes.io/tls convention. May not know what a connection is used for.
 */
package dev.vfio.migration.connections.certificates;
