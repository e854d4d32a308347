package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.api.Phase.FAILED;
import static dev.vfio.migration.operator.api.Phase.SUCCEEDED;
import static dev.vfio.migration.operator.api.Phase.SWITCHING_OVER;
import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static dev.vfio.migration.operator.reconciler.Sandbox.condition;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nothing is committed but on a look that was asked for once the source waited. */
class VerifyLoadedWalkTest extends SandboxTest {
  private FakeAgent destination;

  @BeforeEach
  void findDestination() {
    destination = sandbox.destination;
  }

  private DeviceMigrationStatus failed(String reason) {
    DeviceMigrationStatus status = sandbox.awaitPhase(FAILED);
    assertThat(condition(status, ConditionType.SUCCEEDED).reason()).isEqualTo(reason);
    assertThat(destination.commands()).doesNotContain("Activate");
    sandbox.assertSourceRuns();
    return status;
  }

  @Test
  void whatIsFoundLostIsRolledBack() {
    destination.beforeItVerifies(
        () ->
            destination.fail(
                Role.DESTINATION,
                SessionState.DESTINATION_STRANDED,
                Reason.DEVICE_UNREACHABLE,
                "its server is gone"));
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    DeviceMigrationStatus status = failed("DeviceUnreachable");
    assertThat(status.handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(destination.commands()).contains("VerifyLoaded", "RollBack");
  }

  @Test
  void aVerificationThatFailedIsRepeated() {
    destination.refuseOnce("VerifyLoaded", Reason.NOT_LOADED, "not just now");
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(destination.commands())
        .containsExactly("PrepareDestination", "VerifyLoaded", "VerifyLoaded", "Activate");
  }

  @Test
  void anAgentThatCannotBeAskedIsRefusedBeforeAnythingIsTouched() {
    destination.knowsNoVerifying();
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    assertThat(condition(failed("AgentTooOld"), ConditionType.VALIDATED).message())
        .contains("node-b", "Nothing was touched");
    assertThat(destination.commands()).isEmpty();
    assertThat(sandbox.source.commands()).isEmpty();
  }

  /** As in the middle of an update: the migration began with an operator that did not ask. */
  @Test
  void anAgentThatCannotBeAskedWhenItIsToBeIsRolledBack() {
    sandbox.source.loadsAtOnce(false);
    sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SWITCHING_OVER);
    destination.knowsNoVerifying();
    destination.load();
    DeviceMigrationStatus status = failed("AgentFailed");
    assertThat(condition(status, ConditionType.SUCCEEDED).message()).contains("UNIMPLEMENTED");
  }
}
