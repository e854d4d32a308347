package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentPods;
import dev.vfio.migration.operator.agents.AgentReports;
import dev.vfio.migration.operator.inventory.NodeInventory;
import jakarta.inject.Singleton;

/** The agents of the cluster, found through their pods, and the inventory of their devices. */
@Singleton
final class ClusterAgents implements AgentSearch {
  private final AgentDirectory agents;
  private final AgentPods pods;
  private final NodeInventory inventory;
  private final AgentReports reports;

  ClusterAgents(
      AgentDirectory agents, AgentPods pods, NodeInventory inventory, AgentReports reports) {
    this.agents = agents;
    this.pods = pods;
    this.inventory = inventory;
    this.reports = reports;
  }

  @Override
  public void start() {
    reports.subscribe(inventory);
    pods.start();
    inventory.start();
  }

  @Override
  public void stop() {
    pods.close();
    inventory.close();
    agents.close();
  }
}
