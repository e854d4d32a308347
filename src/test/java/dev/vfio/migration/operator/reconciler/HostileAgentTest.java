package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static dev.vfio.migration.operator.reconciler.Sandbox.condition;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.text.ForeignText;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/**
 * Agents that say too much, and an API server that does not take what is to be recorded: neither
 * keeps a migration from its end.
 */
class HostileAgentTest extends SandboxTest {
  private static final String FORGED = "x\nPhase Succeeded: all is well\r\u2028\u001b[2K\u202e";
  private static final String LONG = FORGED + "機".repeat(120_000) + " Reset the device.";

  private void destinationGivesUp(String why) {
    sandbox.destination.changeDevice(device -> device.setState(DeviceState.NONE));
    sandbox.destination.fail(
        Role.DESTINATION, SessionState.DESTINATION_DISCARDED, Reason.DEVICE_WRITE_FAILED, why);
  }

  private void assertRecorded(String message, String beginning) {
    assertThat(ForeignText.isPlain(message)).as(message).isTrue();
    assertThat(message.getBytes(StandardCharsets.UTF_8).length)
        .isLessThanOrEqualTo(ForeignText.MAX_STATUS_BYTES);
    assertThat(message)
        .contains(beginning)
        .containsPattern("\\(cut, 12[0-9]{4} characters\\)")
        .contains("Reset the device.");
    assertThat(sandbox.api.history())
        .flatExtracting(DeviceMigrationStatus::conditions)
        .extracting(Condition::message)
        .allMatch(ForeignText::isPlain);
  }

  @Test
  void aDeviceThatIsRefusedWithTooManyWordsIsRecordedWithFewer() {
    sandbox.source.changeDevice(
        device ->
            device.setNotMigratable(
                Failure.newBuilder().setReason(Reason.NO_MIGRATION_REGION).setMessage(LONG)));
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.FAILED);
    assertRecorded(condition(status, ConditionType.VALIDATED).message(), "x\\nPhase Succeeded");
    assertThat(sandbox.source.commands()).isEmpty();
  }

  @Test
  void aFailureWithTooManyWordsIsRolledBackAndRecordedWithFewer() {
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.PRE_COPY);
    destinationGivesUp(LONG);
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.FAILED);
    assertRecorded(status.rollback().message(), "x\\nPhase Succeeded");
    assertRecorded(condition(status, ConditionType.SUCCEEDED).message(), "x\\nPhase Succeeded");
    sandbox.assertSourceRuns();
  }

  /** The CRD of another release, an admission policy, a limit of size. */
  @Test
  void aStatusThatIsNotTakenWholeIsRecordedInItsEssence() {
    sandbox.api.refuse(
        status ->
            status.sourceState() != null
                || status.conditions().stream()
                    .anyMatch(
                        condition ->
                            !condition
                                .message()
                                .equals(
                                    "The full status could not be written: HTTP 422: status is"
                                        + " invalid")));
    sandbox.startOperator();
    sandbox.awaitAgents();
    sandbox.api.create(NAME, Specs.live());
    DeviceMigrationStatus status = sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");
    assertThat(status.phase()).isEqualTo(Phase.SUCCEEDED);
    assertThat(status.handover()).isEqualTo(Handover.COMMITTED);
    assertThat(status.downtime()).isEqualTo("42ms");
    assertThat(Sandbox.phases(status))
        .containsExactly(
            Phase.PENDING,
            Phase.VALIDATING,
            Phase.PREPARING,
            Phase.PRE_COPY,
            Phase.SWITCHING_OVER,
            Phase.COMMITTED,
            Phase.SUCCEEDED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aRollbackThatIsNotTakenWholeIsRecordedInItsEssence() {
    sandbox.api.refuse(
        status ->
            status.rollback() != null
                && !status.rollback().message().startsWith("The full status"));
    sandbox.source.convergesAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.PRE_COPY);
    destinationGivesUp("no more");
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.FAILED);
    assertThat(status.handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(status.rollback().reason()).isNotBlank();
    assertThat(status.rollback().cancelled()).isFalse();
    sandbox.assertSourceRuns();
  }
}
