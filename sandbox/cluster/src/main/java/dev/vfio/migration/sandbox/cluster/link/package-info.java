/**
 * A link between two addresses that a test can delay, cut or corrupt. Knows bytes and connections,
 * and none of the protocols on them.
 */
package dev.vfio.migration.sandbox.cluster.link;
