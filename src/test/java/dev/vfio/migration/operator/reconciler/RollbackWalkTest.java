package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.api.Phase.ACTION_REQUIRED;
import static dev.vfio.migration.operator.api.Phase.CANCELLED;
import static dev.vfio.migration.operator.api.Phase.FAILED;
import static dev.vfio.migration.operator.api.Phase.PRE_COPY;
import static dev.vfio.migration.operator.api.Phase.ROLLING_BACK;
import static dev.vfio.migration.operator.api.Phase.SUCCEEDED;
import static dev.vfio.migration.operator.api.Phase.SWITCHING_OVER;
import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static dev.vfio.migration.operator.reconciler.Sandbox.condition;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Timeouts;
import dev.vfio.migration.operator.fake.Copies;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.RefusedCalls;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What ends a migration before the handover, and that the source runs on after it. */
class RollbackWalkTest extends SandboxTest {
  private void copying() {
    copying(Specs.live());
  }

  private void copying(DeviceMigrationSpec spec) {
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, spec);
    sandbox.awaitPhase(PRE_COPY);
  }

  private void paused(DeviceMigrationSpec spec) {
    sandbox.source.loadsAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, spec);
    sandbox.awaitDecisionDue();
  }

  @Test
  void aUserCancelsWhileCopying() {
    copying();
    sandbox.api.changeSpec(NAME, Specs::cancelled);
    DeviceMigrationStatus status = sandbox.awaitPhase(CANCELLED);
    assertThat(status.handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo("CancelledByUser");
    assertThat(sandbox.source.commands()).contains("Cancel").doesNotContain("RollBack");
    sandbox.assertSourceRuns();
  }

  @Test
  void aUserCancelsWhilePaused() {
    paused(Specs.live());
    sandbox.api.changeSpec(NAME, Specs::cancelled);
    sandbox.awaitPhase(CANCELLED);
    sandbox.assertSourceRuns();
  }

  @Test
  void cancellingBeforeAnythingBeganTouchesNothing() {
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.cancelled(Specs.live()));
    sandbox.awaitPhase(CANCELLED);
    assertThat(sandbox.source.commands()).isEmpty();
    assertThat(sandbox.destination.commands()).isEmpty();
  }

  @Test
  void cancellingAfterTheHandoverChangesNothing() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitStatus(NAME, status -> status.handover() == Handover.COMMITTED);
    sandbox.api.changeSpec(NAME, Specs::cancelled);
    sandbox.destination.activate();
    sandbox.awaitPhase(SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void deletingARunningMigrationCancelsItFirst() {
    copying();
    sandbox.api.requestDeletion(NAME);
    await().atMost(Sandbox.TIMEOUT).until(() -> sandbox.api.read("default", NAME).isEmpty());
    assertThat(sandbox.source.commands()).contains("Cancel");
    sandbox.assertSourceRuns();
  }

  @Test
  void deletingACommittedMigrationFinishesItFirst() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitStatus(NAME, status -> status.handover() == Handover.COMMITTED);
    sandbox.api.requestDeletion(NAME);
    sandbox.destination.activate();
    await().atMost(Sandbox.TIMEOUT).until(() -> sandbox.api.read("default", NAME).isEmpty());
    sandbox.assertDestinationRuns();
  }

  @Test
  void aFailingDestinationSendsTheSourceBackAndIsNamedAsTheCause() {
    paused(Specs.live());
    FakeAgent destination = sandbox.destination;
    destination.changeDevice(device -> device.setState(DeviceState.NONE).setClaimedBy(""));
    destination.fail(
        Role.DESTINATION,
        SessionState.DESTINATION_DISCARDED,
        Reason.DEVICE_WRITE_FAILED,
        "pwrite of 4096 bytes at 76 failed with EIO (5).");
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo("DeviceWriteFailed");
    assertThat(condition(status, ConditionType.SUCCEEDED).message())
        .contains("vfio-user:gpu-0 on node-b (destination)")
        .contains("EIO (5)");
    sandbox.assertSourceRuns();
  }

  @Test
  void theCauseIsNamedAlsoWhereItsEchoCameFirst() {
    copying();
    sandbox.destination.refuse(
        command -> Optional.of(RefusedCalls.of(Reason.JOURNAL_FAILED, "disk full")));
    sandbox.source.changeDevice(device -> device.setState(DeviceState.RUNNING).setClaimedBy(""));
    sandbox.source.fail(
        Role.SOURCE,
        SessionState.SOURCE_ROLLED_BACK,
        Reason.STREAM_BROKEN,
        "the destination hung up.");
    sandbox.awaitPhase(ROLLING_BACK);
    sandbox.destination.changeDevice(device -> device.setState(DeviceState.NONE).setClaimedBy(""));
    sandbox.destination.fail(
        Role.DESTINATION,
        SessionState.DESTINATION_DISCARDED,
        Reason.STREAM_CORRUPT,
        "CRC32C of frame 12 differs.");
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(status.rollback().reason()).isEqualTo("StreamBroken");
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo("StreamCorrupt");
    sandbox.assertSourceRuns();
  }

  @Test
  void aStrandedSourceCallsForAPersonUntilItRuns() {
    copying();
    // Refused from before the operator can know of it: a roll-back that is taken would end it.
    sandbox.source.refuse(
        command -> Optional.of(RefusedCalls.of(Reason.JOURNAL_FAILED, "not now")));
    sandbox.source.fail(
        Role.SOURCE,
        SessionState.SOURCE_STRANDED,
        Reason.TRANSITION_FAILED,
        "it refused RUNNING; reset the host.");
    DeviceMigrationStatus status = sandbox.awaitPhase(ACTION_REQUIRED);
    assertThat(condition(status, ConditionType.SUCCEEDED).message()).contains("reset the host");
    sandbox.source.refuse(command -> Optional.empty());
    sandbox.awaitPhase(FAILED);
    sandbox.assertSourceRuns();
  }

  @Test
  void aSwitchoverThatTakesTooLongGoesBack() {
    sandbox.source.loadsAtOnce(false);
    sandbox.startOperator();
    // Of all the times only the one that is to pass is short: the others may be needed.
    sandbox.api.create(
        NAME, Specs.with(Specs.live(), new Timeouts(null, null, "300ms", null, null, null)));
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(status.rollback().reason()).isEqualTo("SwitchoverTimedOut");
    assertThat(sandbox.source.commands()).contains("SwitchOver");
    sandbox.assertSourceRuns();
  }

  @Test
  void anAgentThatStaysAwayWhileCopyingEndsTheMigration() {
    copying(Specs.with(Specs.live(), new Timeouts(null, null, null, null, "300ms", "300ms")));
    sandbox.sourceServer.stop();
    DeviceMigrationStatus rollingBack = sandbox.awaitPhase(ACTION_REQUIRED);
    assertThat(rollingBack.rollback().reason()).isEqualTo("AgentUnavailable");
    assertThat(condition(rollingBack, ConditionType.SUCCEEDED).message()).contains("node-a");

    sandbox.sourceServer.start();
    sandbox.awaitPhase(FAILED);
    sandbox.assertSourceRuns();
  }

  @Test
  void anAgentThatComesBackInTimeGoesOn() {
    copying();
    sandbox.destinationServer.stop();
    sandbox.awaitReason(ConditionType.DESTINATION_READY, "AgentUnavailable");
    sandbox.destinationServer.start();
    sandbox.awaitReason(ConditionType.DESTINATION_READY, "Ready");
    sandbox.source.report(Copies.converged());
    sandbox.awaitPhase(SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aDestinationThatLostItsJournalSendsTheSourceBack() {
    copying();
    sandbox.destinationServer.stop();
    sandbox.destination.loseJournal();
    sandbox.destination.changeDevice(device -> device.setState(DeviceState.NONE));
    sandbox.destinationServer.start();
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(status.rollback().reason()).isEqualTo("SessionLost");
    sandbox.assertSourceRuns();
  }

  @Test
  void aSourceThatLostItsJournalWhilePausedCallsForAPerson() {
    paused(Specs.live());
    sandbox.sourceServer.stop();
    sandbox.source.loseJournal();
    sandbox.sourceServer.start();
    DeviceMigrationStatus status = sandbox.awaitPhase(ACTION_REQUIRED);
    assertThat(condition(status, ConditionType.SUCCEEDED).message())
        .contains("no longer knows this migration")
        .contains("STOPNCOPY");

    sandbox.source.changeDevice(device -> device.setState(DeviceState.RUNNING));
    sandbox.awaitPhase(FAILED);
    sandbox.assertSourceRuns();
  }

  @Test
  void aDestinationThatLostItsJournalAfterTheHandoverCallsForAPerson() {
    sandbox.destination.refuse("Activate", Reason.JOURNAL_FAILED, "later");
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitStatus(NAME, status -> status.handover() == Handover.COMMITTED);
    sandbox.destinationServer.stop();
    sandbox.destination.loseJournal();
    sandbox.destinationServer.start();
    DeviceMigrationStatus status = sandbox.awaitPhase(ACTION_REQUIRED);
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo("SessionLost");
    assertThat(status.handover()).isEqualTo(Handover.COMMITTED);
    assertThat(sandbox.source.commands()).doesNotContain("Commit", "RollBack", "Cancel");
    assertThat(sandbox.nodes.violations()).isEmpty();
  }

  static Stream<Arguments> refusedFirstCommands() {
    return Stream.of(
        Arguments.of("PrepareDestination", Reason.INCOMPATIBLE_DEVICE, "IncompatibleDevice"),
        Arguments.of("PrepareDestination", Reason.NO_CAPACITY, "NoCapacity"),
        Arguments.of("StartSource", Reason.DEVICE_BUSY, "DeviceBusy"),
        Arguments.of("StartSource", Reason.INVALID_REQUEST, "InvalidRequest"));
  }

  @ParameterizedTest
  @MethodSource("refusedFirstCommands")
  void aRefusedFirstCommandEndsTheMigration(String refused, Reason reason, String condition) {
    for (String node : new String[] {FakeNodes.SOURCE, FakeNodes.DESTINATION}) {
      sandbox.nodes.agent(node).refuse(refused, reason, "no");
    }
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo(condition);
    sandbox.assertSourceRuns();
  }

  @Test
  void aCommandThatIsNotAnsweredIsGivenAgain() {
    sandbox.source.refuseOnce("SwitchOver", Reason.JOURNAL_FAILED, "disk busy");
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");
    assertThat(sandbox.source.commands())
        .containsExactly("StartSource", "SwitchOver", "SwitchOver", "Commit");
  }

  @Test
  void validationNamesWhatIsWrongAndTouchesNothing() {
    sandbox.startOperator();
    sandbox.api.create("unknown-node", Specs.between("node-x", FakeNodes.DESTINATION));
    assertRefused("unknown-node", "UnknownNode");

    sandbox.source.changeDevice(device -> device.setId("vfio-user:other"));
    sandbox.api.create("unknown-device", Specs.live());
    assertRefused("unknown-device", "UnknownDevice");

    sandbox.source.changeDevice(
        device ->
            device
                .setId(FakeAgent.DEVICE)
                .setNotMigratable(
                    Failure.newBuilder()
                        .setReason(Reason.NO_MIGRATION_REGION)
                        .setMessage("It has none.")));
    sandbox.api.create("no-region", Specs.live());
    assertRefused("no-region", "NoMigrationRegion");

    sandbox.source.changeDevice(device -> device.clearNotMigratable().setModel("other"));
    sandbox.api.create("incompatible", Specs.live());
    assertRefused("incompatible", "IncompatibleDevice");

    sandbox.source.changeDevice(
        device -> device.setModel("10de:20b0:10de:1450").setClaimedBy("someone/1"));
    sandbox.api.create("busy", Specs.live());
    assertRefused("busy", "DeviceBusy");

    sandbox.api.create("same-node", Specs.between(FakeNodes.SOURCE, FakeNodes.SOURCE));
    assertRefused("same-node", "SameDevice");

    sandbox.api.create(
        "bad-duration",
        Specs.with(Specs.live(), new Timeouts("soon", null, null, null, null, null)));
    assertRefused("bad-duration", "InvalidSpec");

    assertThat(sandbox.source.commands()).isEmpty();
    assertThat(sandbox.destination.commands()).isEmpty();
  }

  private void assertRefused(String name, String reason) {
    DeviceMigrationStatus status = sandbox.awaitStatus(name, now -> now.phase() == FAILED);
    assertThat(condition(status, ConditionType.VALIDATED).reason()).isEqualTo(reason);
    assertThat(condition(status, ConditionType.VALIDATED).message())
        .contains("Nothing was touched");
  }

  @Test
  void anAgentThatIsDownIsWaitedForAndThenGivenUp() {
    sandbox.destinationServer.stop();
    sandbox.startOperator();
    sandbox.api.create(
        NAME, Specs.with(Specs.live(), new Timeouts("3s", null, null, null, null, null)));
    DeviceMigrationStatus waiting =
        sandbox.awaitReason(ConditionType.VALIDATED, "AgentUnavailable");
    assertThat(condition(waiting, ConditionType.VALIDATED).message()).contains("node-b");
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(condition(status, ConditionType.VALIDATED).message())
        .contains("Gave up")
        .contains("Connection refused");
  }

  @Test
  void anAgentThatComesUpInTimeIsUsed() {
    sandbox.destinationServer.stop();
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitReason(ConditionType.VALIDATED, "AgentUnavailable");
    sandbox.destinationServer.start();
    sandbox.awaitPhase(SUCCEEDED);
  }

  @Test
  void theSecondWaitsForTheFirstAndSaysForWhom() {
    copying();
    sandbox.api.create("second", Specs.live());
    DeviceMigrationStatus waiting =
        sandbox.awaitStatus(
            "second",
            status ->
                condition(status, ConditionType.VALIDATED).reason().equals("WaitingForDevice"));
    assertThat(condition(waiting, ConditionType.VALIDATED).message()).contains("default/" + NAME);
    sandbox.source.convergesAtOnce(true);
    sandbox.api.changeSpec(NAME, Specs::cancelled);
    sandbox.awaitPhase(CANCELLED);
    sandbox.awaitStatus("second", status -> status.phase() == SUCCEEDED);
  }

  @Test
  void theSwitchoverIsRecordedBeforeTheWorkloadIsPaused() {
    sandbox.startOperator();
    // Only the first: while it switches over more may be written, after the command.
    AtomicReference<List<String>> before = new AtomicReference<>();
    sandbox.api.afterWrite(
        () -> {
          if (sandbox.api.status(NAME).phase() == SWITCHING_OVER) {
            before.compareAndSet(null, List.copyOf(sandbox.source.commands()));
          }
        });
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(before.get()).containsExactly("StartSource");
  }
}
