package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.api.Phase.COMMITTED;
import static dev.vfio.migration.operator.api.Phase.PENDING;
import static dev.vfio.migration.operator.api.Phase.PREPARING;
import static dev.vfio.migration.operator.api.Phase.PRE_COPY;
import static dev.vfio.migration.operator.api.Phase.SUCCEEDED;
import static dev.vfio.migration.operator.api.Phase.SWITCHING_OVER;
import static dev.vfio.migration.operator.api.Phase.VALIDATING;
import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static dev.vfio.migration.operator.reconciler.Sandbox.condition;
import static dev.vfio.migration.operator.reconciler.Sandbox.phases;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.PendingBytes;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.fake.Copies;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whole migrations, against agents that are served by gRPC over mutual TLS. */
class MigrationWalkTest extends SandboxTest {
  @Test
  void aLiveMigrationGoesThroughEveryPhaseOnce() {
    OperatorProcess operator = sandbox.startOperator();
    sandbox.awaitAgents();
    sandbox.api.create(NAME, Specs.live());
    DeviceMigrationStatus status = sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");

    assertThat(phases(status))
        .containsExactly(
            PENDING, VALIDATING, PREPARING, PRE_COPY, SWITCHING_OVER, COMMITTED, SUCCEEDED);
    assertThat(status.handover()).isEqualTo(Handover.COMMITTED);
    assertThat(status.downtime()).isEqualTo("42ms");
    assertThat(status.pending().total()).isZero();
    assertThat(status.progressPercent()).isEqualTo(100);
    assertThat(status.sourceState()).isEqualTo("SAVE_COMPLETED");
    assertThat(status.destinationState()).isEqualTo("RUNNING");
    assertThat(status.attempt()).isEqualTo(1);
    sandbox.assertDestinationRuns();
    assertThat(sandbox.destination.commands())
        .containsExactly("PrepareDestination", "VerifyLoaded", "Activate");
    assertThat(sandbox.source.commands()).containsExactly("StartSource", "SwitchOver", "Commit");
    operator.awaitEvents(
        "Validated",
        "PreCopyStarted",
        "Converged",
        "SwitchingOver",
        "Committed",
        "Succeeded",
        "SourceReleased");
  }

  @Test
  void theStateGoesWhereTheDestinationsAgentWantsIt() {
    sandbox.destination.stateHost("10.77.0.2");
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(sandbox.source.toldDestination()).isEqualTo("10.77.0.2:9444");
  }

  @Test
  void theStateGoesWhereTheAgentIsReachedUnlessItSaysOtherwise() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(sandbox.source.toldDestination()).isEqualTo("127.0.0.1:9444");
  }

  @Test
  void aV2DeviceIsReadUntilItAsksForNothingMoreBeforeItStops() {
    for (FakeAgent agent : List.of(sandbox.source, sandbox.destination)) {
      agent.changeDevice(device -> device.setInterface(MigrationInterface.FEATURE_V2));
    }
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(PRE_COPY);
    sandbox.source.report(Copies.converged());
    DeviceMigrationStatus copying =
        sandbox.awaitStatus(
            NAME,
            status ->
                status.pending() != null
                    && status.pending().precopyOnly() > 0
                    && status.iterations() == 1);
    assertThat(copying.phase()).isEqualTo(PRE_COPY);
    assertThat(copying.migrationInterface()).isEqualTo("FEATURE_V2");
    assertThat(condition(copying, ConditionType.CONVERGED).message())
        .contains("asks for 5Mi of it to be read before it is stopped");
    sandbox.source.report(
        Copies.converged().toBuilder()
            .setPending(PendingBytes.newBuilder().setPostcopyOnly(1 << 20))
            .setRounds(2)
            .build());
    sandbox.awaitPhase(SUCCEEDED);
  }

  @Test
  void aColdMigrationSkipsPreCopy() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.cold(Specs.live()));
    DeviceMigrationStatus status = sandbox.awaitPhase(SUCCEEDED);
    assertThat(phases(status))
        .containsExactly(PENDING, VALIDATING, PREPARING, SWITCHING_OVER, COMMITTED, SUCCEEDED);
    assertThat(condition(status, ConditionType.CONVERGED).reason()).isEqualTo("Cold");
    sandbox.assertDestinationRuns();
  }

  @Test
  void aManualSwitchoverWaitsForItsUser() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.with(Specs.live(), Switchover.MANUAL));
    DeviceMigrationStatus waiting =
        sandbox.awaitReason(ConditionType.CONVERGED, "WaitingForSwitchover");
    assertThat(waiting.phase()).isEqualTo(PRE_COPY);
    assertThat(condition(waiting, ConditionType.CONVERGED).status()).isEqualTo(Status.TRUE);
    assertThat(sandbox.source.commands()).doesNotContain("SwitchOver");

    sandbox.api.changeSpec(NAME, spec -> Specs.with(spec, Switchover.AUTOMATIC));
    sandbox.awaitPhase(SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aManualColdMigrationWaitsBeforeItPausesAnything() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.with(Specs.cold(Specs.live()), Switchover.MANUAL));
    sandbox.awaitReason(ConditionType.CONVERGED, "WaitingForSwitchover");
    sandbox.api.changeSpec(NAME, spec -> Specs.with(spec, Switchover.AUTOMATIC));
    sandbox.awaitPhase(SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void progressIsWrittenWhileCopying() {
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(PRE_COPY);
    sandbox.source.report(Copies.behind(2));
    DeviceMigrationStatus status =
        sandbox.awaitStatus(NAME, now -> now.iterations() != null && now.iterations() == 2);
    assertThat(status.pending().summary()).isEqualTo("200Mi");
    assertThat(status.rate()).isEqualTo("50Mi/s");
    assertThat(status.estimatedDowntime()).isEqualTo("4s");
    assertThat(condition(status, ConditionType.CONVERGED).reason()).isEqualTo("Copying");
    sandbox.source.report(Copies.converged());
    sandbox.awaitPhase(SUCCEEDED);
  }

  @Test
  void aCopyThatStallsIsCancelledUnlessTheUserSaysOtherwise() {
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(PRE_COPY);
    stall();
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.CANCELLED);
    assertThat(status.rollback().reason()).isEqualTo("DidNotConverge");
    assertThat(condition(status, ConditionType.CONVERGED).reason()).isEqualTo("Stalled");
    assertThat(sandbox.source.commands()).contains("Cancel").doesNotContain("SwitchOver");
    sandbox.assertSourceRuns();
  }

  @Test
  void aCopyThatStallsIsSwitchedOverWhereTheUserAskedForIt() {
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(
        NAME,
        Specs.with(
            Specs.live(),
            new Convergence(null, null, null, "50ms", Convergence.OnStall.SWITCHOVER)));
    DeviceMigrationStatus status = sandbox.awaitPhase(SUCCEEDED);
    assertThat(condition(status, ConditionType.CONVERGED).reason()).isEqualTo("TooLong");
    sandbox.assertDestinationRuns();
  }

  private void stall() {
    sandbox.source.report(Copies.behind(1));
    sandbox.awaitStatus(NAME, now -> now.iterations() != null && now.iterations() == 1);
    sandbox.source.report(Copies.behind(6));
  }

  @Test
  void theSourceIsReleasedLaterWhereItsAgentIsAway() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    await()
        .atMost(Sandbox.TIMEOUT)
        .until(() -> sandbox.destination.commands().contains("Activate"));
    sandbox.sourceServer.stop();
    sandbox.destination.activate();
    DeviceMigrationStatus status = sandbox.awaitReason(ConditionType.SUCCEEDED, "CleaningUp");
    assertThat(status.phase()).isEqualTo(SUCCEEDED);

    sandbox.sourceServer.start();
    sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");
    sandbox.assertDestinationRuns();
  }

  @Test
  void activationIsTriedUntilTheDestinationRuns() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    await()
        .atMost(Sandbox.TIMEOUT)
        .until(() -> sandbox.destination.commands().contains("Activate"));
    sandbox.destination.fail(
        Role.DESTINATION,
        SessionState.DESTINATION_STRANDED,
        Reason.TRANSITION_FAILED,
        "RUNNING was refused.");
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.ACTION_REQUIRED);
    assertThat(condition(status, ConditionType.SUCCEEDED).message())
        .contains("RUNNING was refused")
        .contains("must not be resumed");
    assertThat(sandbox.source.commands()).doesNotContain("Commit", "RollBack", "Cancel");

    sandbox.destination.activatesAtOnce(true);
    sandbox.awaitPhase(SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aFinishedMigrationIsDeletedAfterItsTime() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.deletedAfter(Specs.live(), 0));
    await().atMost(Sandbox.TIMEOUT).until(() -> sandbox.api.read("default", NAME).isEmpty());
    sandbox.assertDestinationRuns();
  }

  @Test
  void theTokenIsNowhereToBeRead() {
    OperatorProcess operator = sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(sandbox.api.history()).noneMatch(status -> status.toString().contains("secret-"));
    await().atMost(Sandbox.TIMEOUT).until(() -> operator.events().contains("Succeeded"));
    assertThat(operator.events()).noneMatch(event -> event.contains("secret-"));
  }

  @Test
  void nothingIsWrittenTwice() {
    sandbox.startOperator();
    sandbox.awaitAgents();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");
    assertThat(sandbox.api.history()).doesNotHaveDuplicates().hasSizeLessThanOrEqualTo(14);
  }
}
