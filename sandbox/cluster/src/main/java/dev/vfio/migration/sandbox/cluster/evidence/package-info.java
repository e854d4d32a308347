/**
 * What the logs of the two devices prove of a handover: the rules H1 to H3, downtime and pauses.
 * Knows only what devices write themselves; it may not ask operator or agents.
 */
package dev.vfio.migration.sandbox.cluster.evidence;
