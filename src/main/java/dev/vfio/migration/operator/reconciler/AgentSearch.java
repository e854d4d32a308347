package dev.vfio.migration.operator.reconciler;

/** Finds the agents and keeps the connections to them, for as long as this replica reconciles. */
interface AgentSearch {
  void start();

  void stop();
}
