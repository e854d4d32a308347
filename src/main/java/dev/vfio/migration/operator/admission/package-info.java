/**
 * Which migrations may use devices, and when: the namespaces in which a migration may name a node
 * and a device, and the queue for each device. Pure. Knows the objects and the conditions in their
 * status, no agent and no phase's decision.
 */
package dev.vfio.migration.operator.admission;
