package dev.vfio.migration.operator.agents;

import dev.vfio.migration.operator.decision.Side;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.stream.Collectors;

/** All agents by the name of their node. Thread-safe. */
public final class AgentDirectory implements AutoCloseable {
  private final TlsFiles tls;
  private final Clock steady;
  private final Duration callTimeout;
  private final AgentListener listener;
  private final Map<String, AgentConnection> connections = new ConcurrentHashMap<>();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "agent-connections");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param steady measures for how long an agent is away; never set back or forth
   * @param callTimeout how long one call to an agent may take
   */
  public AgentDirectory(TlsFiles tls, Clock steady, Duration callTimeout, AgentListener listener) {
    this.tls = tls;
    this.steady = steady;
    this.callTimeout = callTimeout;
    this.listener = listener;
  }

  /**
   * The connection to the agent of {@code node}; its state is Absent where that node has no agent.
   */
  public AgentConnection agentOf(String node) {
    return connections.computeIfAbsent(
        node, name -> new AgentConnection(name, tls, steady, callTimeout, timer, listener));
  }

  /** The nodes that have an agent now, whether or not it can be reached. */
  public Set<String> nodesWithAgent() {
    return connections.entrySet().stream()
        .filter(entry -> !(entry.getValue().state() instanceof Side.Absent))
        .map(Map.Entry::getKey)
        .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * The agent of {@code node} is at {@code address}; empty where the node has no agent any more.
   */
  public void locate(String node, Optional<AgentAddress> address) {
    agentOf(node).locate(address);
  }

  @Override
  public void close() {
    timer.shutdownNow();
    connections.values().forEach(AgentConnection::close);
  }
}
