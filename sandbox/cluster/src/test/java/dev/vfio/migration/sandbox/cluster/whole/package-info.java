/**
 * Whole-system tests: operator, agents and devices as processes of one cluster that all tests
 * share, with faults at every step. A migration is judged by the devices' own logs; a test looks at
 * the status only for what users see.
 */
package dev.vfio.migration.sandbox.cluster.whole;
