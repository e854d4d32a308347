package dev.vfio.migration.sandbox.cluster;

/**
 * What the cluster's objects say about a node with an agent.
 *
 * @param name of the Node object
 * @param podAddress the agent pod's status.podIP: where the operator reaches the agent's ports
 */
public record NodeAddress(String name, String podAddress) {}
