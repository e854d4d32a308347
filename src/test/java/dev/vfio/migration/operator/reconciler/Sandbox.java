package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.agents.AgentAddress;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.fake.AgentServer;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.SettableClock;
import dev.vfio.migration.operator.fake.TestAuthority;
import dev.vfio.migration.operator.status.ConditionType;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/**
 * A fake API server, two fake agents served for real, and an operator that can be killed and
 * started again.
 */
final class Sandbox implements AutoCloseable {
  static final String NAME = "move-gpu-0";

  /** For what comes about at once, on a machine whose processors may be busy with other things. */
  static final Duration TIMEOUT = Duration.ofSeconds(40);

  final FakeApiServer api = new FakeApiServer();
  final FakeNodes nodes = new FakeNodes();
  final FakeAgent source = nodes.source();
  final FakeAgent destination = nodes.destination();
  final AgentServer sourceServer;
  final AgentServer destinationServer;

  private final TestAuthority authority = new TestAuthority();
  private final Path directory;
  private final List<AgentServer> others = new ArrayList<>();
  private final Path operatorCertificates;
  private OperatorProcess operator;
  private OperatorProcess standby;
  private long leader;

  Sandbox(Path directory) {
    this.directory = directory;
    operatorCertificates = authority.issue(directory.resolve("operator"), TestAuthority.OPERATOR);
    sourceServer =
        serve(source, authority.issue(directory.resolve("a"), "node-a.node.migration.vfio.dev"));
    destinationServer =
        serve(
            destination, authority.issue(directory.resolve("b"), "node-b.node.migration.vfio.dev"));
  }

  private static AgentServer serve(FakeAgent agent, Path certificates) {
    return new AgentServer(agent, certificates).start();
  }

  /** Serves that agent and has the operator, which has been started, in reach of it. */
  void serveAlso(String node, FakeAgent agent) {
    AgentServer server =
        serve(agent, authority.issue(directory.resolve(node), node + ".node.migration.vfio.dev"));
    others.add(server);
    operator.agents().locate(node, Optional.of(server.address()));
    awaitAgent(node);
  }

  /** Starts the operator, as a new leader. */
  OperatorProcess startOperator() {
    return startOperator(Duration.ZERO);
  }

  private OperatorProcess startOperator(Duration clockIsAhead) {
    SettableClock wall = new SettableClock();
    wall.shift(clockIsAhead);
    operator = new OperatorProcess(api, operatorCertificates, addresses(), ++leader, wall).lead();
    return operator;
  }

  /** Starts a second replica, which does not lead. */
  OperatorProcess startStandby() {
    standby = new OperatorProcess(api, operatorCertificates, addresses(), 0, new SettableClock());
    return standby.standBy();
  }

  /**
   * Waits until the operator has both agents in reach, so that the time for connecting is not part
   * of the test.
   */
  void awaitAgents() {
    awaitAgent(FakeNodes.SOURCE);
    awaitAgent(FakeNodes.DESTINATION);
  }

  private void awaitAgent(String node) {
    await()
        .atMost(TIMEOUT)
        .until(() -> operator.agents().agentOf(node).state() instanceof Side.Reachable);
  }

  OperatorProcess restartOperator() {
    return changeLeader(Duration.ZERO);
  }

  /** Another replica leads; its machine's time of day is ahead by so much, or behind. */
  OperatorProcess changeLeader(Duration clockIsAhead) {
    operator.close();
    api.forgetWatchers();
    return startOperator(clockIsAhead);
  }

  private Map<String, AgentAddress> addresses() {
    return Map.of(
        FakeNodes.SOURCE,
        sourceServer.address(),
        FakeNodes.DESTINATION,
        destinationServer.address());
  }

  DeviceMigrationStatus awaitPhase(Phase phase) {
    return awaitStatus(NAME, status -> status.phase() == phase);
  }

  DeviceMigrationStatus awaitStatus(String name, Predicate<DeviceMigrationStatus> wanted) {
    // The very status that was seen: the next one may be another.
    AtomicReference<DeviceMigrationStatus> seen = new AtomicReference<>();
    await()
        .atMost(TIMEOUT)
        .pollInterval(Duration.ofMillis(5))
        .untilAsserted(
            () -> {
              seen.set(api.status(name));
              assertThat(seen.get()).matches(wanted);
            });
    return seen.get();
  }

  DeviceMigrationStatus awaitReason(ConditionType type, String reason) {
    return awaitStatus(NAME, status -> condition(status, type).reason().equals(reason));
  }

  static Condition condition(DeviceMigrationStatus status, ConditionType type) {
    return status.conditions().stream()
        .filter(condition -> condition.type().equals(type.text()))
        .findFirst()
        .orElse(new Condition(type.text(), Condition.Status.UNKNOWN, "Absent", "", "", 0L));
  }

  static List<Phase> phases(DeviceMigrationStatus status) {
    return status.phaseTransitions().stream().map(PhaseTransition::phase).toList();
  }

  /**
   * Waits until the source has paused its workload, sent everything, and waits for the decision.
   */
  void awaitDecisionDue() {
    await()
        .atMost(TIMEOUT)
        .until(
            () ->
                source
                    .session(Role.SOURCE)
                    .filter(known -> known.getState() == SessionState.SOURCE_AWAITING_DECISION)
                    .isPresent());
  }

  /** The source runs on, the destination is free again, and there never were two. */
  void assertSourceRuns() {
    await()
        .atMost(TIMEOUT)
        .untilAsserted(
            () -> {
              assertThat(source.deviceState()).isEqualTo(DeviceState.RUNNING);
              assertThat(destination.deviceState()).isEqualTo(DeviceState.NONE);
            });
    assertThat(nodes.violations()).isEmpty();
  }

  /** The destination runs, the source never will again, and there never were two. */
  void assertDestinationRuns() {
    assertThat(destination.deviceState()).isEqualTo(DeviceState.RUNNING);
    await()
        .atMost(TIMEOUT)
        .untilAsserted(
            () -> assertThat(source.deviceState()).isEqualTo(DeviceState.SAVE_COMPLETED));
    assertThat(nodes.violations()).isEmpty();
  }

  @Override
  public void close() {
    if (operator != null) {
      operator.close();
    }
    if (standby != null) {
      standby.close();
    }
    others.forEach(AgentServer::close);
    sourceServer.close();
    destinationServer.close();
  }
}
