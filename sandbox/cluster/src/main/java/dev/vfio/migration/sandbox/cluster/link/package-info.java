/**
 * A link between two addresses that stands still, is cut or changes a bit on demand. Knows bytes
 * and connections, and none of the protocols on them.
 */
package dev.vfio.migration.sandbox.cluster.link;
