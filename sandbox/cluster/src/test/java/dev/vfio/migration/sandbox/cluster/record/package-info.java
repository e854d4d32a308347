/**
 * The operator's stores against the sandbox's API server: decisions, nodes, and texts that are too
 * long or hostile. They are here because this module sees both.
 */
package dev.vfio.migration.sandbox.cluster.record;
