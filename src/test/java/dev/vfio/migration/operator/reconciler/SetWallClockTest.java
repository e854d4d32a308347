package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Timeouts;
import dev.vfio.migration.operator.fake.Copies;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** Somebody sets the clock of the operator's machine while a migration is under way. */
class SetWallClockTest extends SandboxTest {
  @Test
  void aCommandIsRepeatedAlthoughTheClockWasSetBack() {
    OperatorProcess operator = sandbox.startOperator();
    sandbox.awaitAgents();
    AtomicBoolean first = new AtomicBoolean(true);
    sandbox.source.refuse(
        command -> {
          if (!command.equals("StartSource") || !first.compareAndSet(true, false)) {
            return Optional.empty();
          }
          return Optional.of(Status.UNAVAILABLE.asRuntimeException());
        });
    sandbox.api.create(NAME, Specs.live());
    // Written by the step after the one that gave the command: when it was given is known by now.
    sandbox.awaitReason(ConditionType.HANDED_OVER, "AgentUnavailable");
    operator.wall.shift(Duration.ofHours(-1));
    sandbox.awaitPhase(Phase.SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void anAgentIsGivenUpInTimeAlthoughTheClockWasSetBack() {
    sandbox.source.convergesAtOnce(false);
    OperatorProcess operator = sandbox.startOperator();
    sandbox.api.create(
        NAME, Specs.with(Specs.live(), new Timeouts(null, null, null, null, "300ms", "3s")));
    sandbox.awaitPhase(Phase.PRE_COPY);
    sandbox.destinationServer.stop();
    sandbox.awaitReason(ConditionType.DESTINATION_READY, "AgentUnavailable");
    operator.wall.shift(Duration.ofHours(-1));
    DeviceMigrationStatus status = sandbox.awaitStatus(NAME, seen -> seen.rollback() != null);
    assertThat(status.rollback().reason()).isEqualTo("AgentUnavailable");
  }

  @Test
  void anAgentThatIsAwayForAMomentIsNotGivenUpBecauseTheClockWasSetForth() {
    sandbox.source.convergesAtOnce(false);
    OperatorProcess operator = sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.PRE_COPY);
    sandbox.destinationServer.stop();
    sandbox.awaitReason(ConditionType.DESTINATION_READY, "AgentUnavailable");
    // Far beyond agentUnavailable, and not yet beyond maxDuration.
    operator.wall.shift(Duration.ofMinutes(10));
    sandbox.destinationServer.start();
    sandbox.awaitReason(ConditionType.DESTINATION_READY, "Ready");
    sandbox.source.report(Copies.converged());
    sandbox.awaitPhase(Phase.SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void progressIsRecordedAlthoughTheClockWasSetBack() {
    sandbox.source.convergesAtOnce(false);
    OperatorProcess operator = sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.PRE_COPY);
    operator.wall.shift(Duration.ofHours(-1));
    sandbox.source.report(
        Copies.converged().toBuilder().setRounds(0).setTransferredBytes(77).build());
    sandbox.awaitStatus(
        NAME, status -> status.transferredBytes() != null && status.transferredBytes() == 77);
  }
}
