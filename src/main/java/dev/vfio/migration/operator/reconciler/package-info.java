/**
 * Observe, decide, record, act: ties the pure decision to the record in the API server and to the
 * agents. Begin at {@code MigrationReconciler}. Level-triggered: the object and the agents hold
 * everything that is needed to go on, so a restart at any point continues. Knows no rule of the
 * handover: it carries out what was decided.
 */
package dev.vfio.migration.operator.reconciler;
