/**
 * The line to the node agents: finds them through their pods, keeps one mutually authenticated gRPC
 * channel and one stream of sessions to each, and carries commands. Knows nothing about what the
 * commands are for.
 */
package dev.vfio.migration.operator.agents;
