package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Session;

/** Is called with what agents report. Called on gRPC's threads; must not block. */
public interface AgentListener {
  /** A session is new or has changed. */
  void sessionChanged(Session session);

  /**
   * The agent of {@code node} came within reach, went out of it, or gives another reason for being
   * out of it.
   */
  void agentChanged(String node);

  /**
   * A session of that node began, ended or came to another state: what its agent lists of its
   * devices is another now.
   */
  default void devicesChanged(String node) {}
}
