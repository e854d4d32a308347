/**
 * The gRPC service of the agent: commands of the operator, the feed of session changes, and the
 * list of devices. It maps the contract onto sessions and back, authenticates the operator, and
 * bounds each answer in time. Nothing of the state stream and of the journal is known.
 */
package dev.vfio.migration.agent.control;
