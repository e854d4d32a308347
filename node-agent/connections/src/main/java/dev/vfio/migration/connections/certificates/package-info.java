/**
 * The certificates by which agent and operator know each other, as both read them: a directory in
 * the kubernetes.io/tls convention.
 */
package dev.vfio.migration.connections.certificates;
