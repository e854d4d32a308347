package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Session;

/** Told what agents report. Called on gRPC's threads; must not block. */
public interface AgentListener {
  /** A session is new or has changed. */
  void sessionChanged(Session session);

  /**
   * The agent of {@code node} came within reach, went out of it, or gives another reason for being
   * out of it.
   */
  void agentChanged(String node);
}
