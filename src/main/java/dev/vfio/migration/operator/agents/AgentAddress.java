package dev.vfio.migration.operator.agents;

/** Where a node's agent serves the control contract. */
public record AgentAddress(String host, int port) {
  @Override
  public String toString() {
    return host.indexOf(':') >= 0 ? "[" + host + "]:" + port : host + ":" + port;
  }
}
