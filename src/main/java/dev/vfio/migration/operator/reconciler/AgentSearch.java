package dev.vfio.migration.operator.reconciler;

/** Finds the agents and keeps the connections to them. */
interface AgentSearch {

  /** Begins, and keeps the inventory of their devices where this replica leads. */
  void start();

  void stop();
}
