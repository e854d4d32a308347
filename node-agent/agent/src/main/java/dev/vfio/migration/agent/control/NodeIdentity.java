package dev.vfio.migration.agent.control;

import java.util.List;

/**
 * Who this agent is.
 *
 * @param nodeName of this node in the cluster
 * @param version of the agent
 * @param streamVersions of the state stream that it speaks
 * @param maximumStreams connections of one migration
 * @param instanceId differs after every start
 */
public record NodeIdentity(
    String nodeName,
    String version,
    List<Integer> streamVersions,
    int maximumStreams,
    String instanceId) {
  public NodeIdentity {
    streamVersions = List.copyOf(streamVersions);
  }
}
