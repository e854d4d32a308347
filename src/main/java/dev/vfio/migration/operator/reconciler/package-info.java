/**
 * Observe, decide, record, act: ties the pure decision to the record in the API server and to the
 * agents. Level-triggered: everything that is needed to go on is in the object and with the agents,
 * so a restart at any point continues.
 */
package dev.vfio.migration.operator.reconciler;
