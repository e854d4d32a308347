package dev.vfio.migration.operator.reconciler;

/** Finds the agents and keeps the connections to them. */
interface AgentSearch {

  /** Begins to look for agents; does nothing where it has begun. */
  void find();

  /** This replica leads: also keeps the inventory of their devices. */
  void start();

  void stop();
}
