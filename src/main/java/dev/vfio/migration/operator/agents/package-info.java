/**
 * The connections to the node agents: finds the agents through their pods, keeps one mutually
 * authenticated gRPC channel and one stream of sessions to each, and carries commands. Does not
 * know what the commands are for, nor what follows from a session.
 */
package dev.vfio.migration.operator.agents;
