package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.fake.Specs;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/**
 * The leader dies while the workload is paused, and its lease lasts on: nobody leads. The other
 * replica ends the pause.
 */
class StandbyWalkTest extends SandboxTest {

  /** The leader ends at its next write once {@code moment} has come. */
  private void killLeader(BooleanSupplier moment) {
    OperatorProcess leader = sandbox.startOperator();
    sandbox.startStandby();
    Runnable hook =
        () -> {
          if (leader.alive() && moment.getAsBoolean()) {
            throw new OperatorProcess.Crash();
          }
        };
    sandbox.api.beforeWrite(hook);
    sandbox.api.afterWrite(hook);
    sandbox.api.create(NAME, Specs.live());
    await().atMost(Sandbox.TIMEOUT).until(() -> !leader.alive());
  }

  private void awaitDestinationRuns() {
    await()
        .atMost(Sandbox.TIMEOUT)
        .until(() -> sandbox.destination.deviceState() == DeviceState.RUNNING);
    assertThat(sandbox.nodes.violations()).isEmpty();
  }

  @Test
  void aLeaderKilledBeforeTheDecisionIsReplacedWithoutItsLease() {
    killLeader(() -> sandbox.destination.commands().contains("VerifyLoaded"));
    awaitDestinationRuns();
    assertThat(sandbox.api.status(NAME).handover()).isEqualTo(Handover.COMMITTED);
    assertThat(sandbox.source.commands()).as("left to the next leader").doesNotContain("Commit");

    sandbox.restartOperator();
    sandbox.awaitPhase(Phase.SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aLeaderKilledBetweenTheDecisionAndItsCommandIsReplacedWithoutItsLease() {
    killLeader(() -> sandbox.api.status(NAME).handover() == Handover.COMMITTED);
    awaitDestinationRuns();
    assertThat(sandbox.api.status(NAME).phase()).isEqualTo(Phase.COMMITTED);
  }

  @Test
  void whatALeaderRolledBackBeforeItWasKilledRunsOnWithoutItsLease() {
    sandbox.destination.refuse("VerifyLoaded", Reason.INVALID_REQUEST, "the test says so");
    killLeader(() -> sandbox.api.status(NAME).handover() == Handover.ROLLED_BACK);
    sandbox.assertSourceRuns();
    assertThat(sandbox.api.status(NAME).phase()).isEqualTo(Phase.ROLLING_BACK);
  }

  @Test
  void theNumberThatTheLeaderCommandedUnderIsRecordedBeforeThePause() {
    killLeader(() -> sandbox.source.commands().contains("SwitchOver"));
    assertThat(sandbox.api.status(NAME).fencingNumber()).isEqualTo("1");
  }
}
