/**
 * The log from which a migration is judged: states, workload, audits, in the order in which they
 * happened.
 */
package dev.vfio.migration.sandbox.devices.log;
