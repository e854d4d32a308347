package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/**
 * Half of a state must not run as if it were whole, whenever the driver looks at it; and a driver
 * that looks before the decision is heard before the decision.
 */
class RegionV1WholenessTest {
  private static final int WHOLE = 128 << 10;
  private static final int HALF = WHOLE / 2;

  private final RegionV1Model model = new RegionV1Model(256 << 10, 64);

  private RegionV1 destination(boolean adopted) throws DeviceException {
    return RegionV1.open(ID, model, DriverProfile.NONE, 4096, MigrationEnd.DESTINATION, adopted);
  }

  /** As a session does it: the device is reset before it takes anything in. */
  private RegionV1 loaded(int bytes) throws DeviceException {
    RegionV1 device = destination(false);
    device.reset();
    device.transition(DeviceState.RESUME);
    assertThat(device.state()).isEqualTo(DeviceState.RESUME);
    assertThat(model.register()).isEqualTo(4);
    device.writeState(ByteBuffer.allocateDirect(bytes));
    return device;
  }

  @Test
  void halfAStateNeverRunsWhereTheDriverLooksOnlyWhenItIsToRun() throws DeviceException {
    model.wholeWith(WHOLE, false);
    RegionV1 device = loaded(HALF);
    device.transition(DeviceState.RESUME_COMPLETED);
    device.requireLoaded();
    assertThat(model.register()).as("the driver can still refuse").isEqualTo(4);
    DeviceException refused =
        failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.RUNNING));
    assertThat(refused.errno()).isEqualTo(RegionV1Model.EIO);
    assertThat(refused)
        .hasMessageContainingAll(
            ID, "does not look at what it took in before it is to run", "not whole");
    assertThat(model.register()).isNotEqualTo(1);
  }

  @Test
  void aWholeStateRunsWhereTheDriverLooksOnlyWhenItIsToRun() throws DeviceException {
    model.wholeWith(WHOLE, false);
    RegionV1 device = loaded(WHOLE);
    device.transition(DeviceState.RESUME_COMPLETED);
    device.transition(DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);
    assertThat(model.content()).hasSize(WHOLE);
  }

  /** What is in 100 then is loaded: a workload that was given it holds it. */
  @Test
  void afterARestartOfTheAgentTheDriverIsStillAsked() throws DeviceException {
    model.wholeWith(WHOLE, false);
    loaded(HALF).transition(DeviceState.RESUME_COMPLETED);
    RegionV1 again = destination(true);
    assertThat(again.state()).isEqualTo(DeviceState.RESUME_COMPLETED);
    assertThat(failureOf(() -> again.transition(DeviceState.RUNNING)))
        .hasMessageContaining("not whole");
  }

  @Test
  void halfAStateIsRefusedBeforeTheDecisionWhereTheDriverLooksThen() throws DeviceException {
    model.wholeWith(WHOLE, true);
    RegionV1 device = loaded(HALF);
    failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.RESUME_COMPLETED));
    device.transition(DeviceState.FAILED);
    device.reset();
    assertThat(model.register()).isEqualTo(1);
  }

  @Test
  void aWholeStateIsJudgedBeforeTheDecisionWhereTheDriverLooksThen() throws DeviceException {
    model.wholeWith(WHOLE, true);
    RegionV1 device = loaded(WHOLE);
    device.transition(DeviceState.RESUME_COMPLETED);
    assertThat(model.register()).isZero();
    device.transition(DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);
  }

  @Test
  void aDriverThatKnowsOnlyTheDrawnChangesIsNotResetForIt() throws DeviceException {
    model.asDrawn().wholeWith(WHOLE, false);
    RegionV1 device = loaded(HALF);
    assertThat(model.resets()).isEqualTo(1);
    device.transition(DeviceState.RESUME_COMPLETED);
    assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
        .hasMessageContaining("not whole");
  }

  /** Where a reset is not sure to lead back nothing is tried with it. */
  @Test
  void aDeviceThatWasNotResetIsNotTriedOut() throws DeviceException {
    RegionV1 device = destination(false);
    model.accesses();
    device.transition(DeviceState.RESUME);
    assertThat(model.accesses()).contains("write 0/4=4").doesNotContain("write 0/4=0");
  }

  /** It answers success to what it refuses: only the state that is read shows the refusal. */
  @Test
  void aDriverThatAnswersItsRefusalAsDoneIsStillAskedBeforeTheDecision() throws DeviceException {
    model.ignoring("write 0/4=0");
    RegionV1 device = loaded(HALF);
    assertThat(model.resets()).isEqualTo(1);
    failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.RESUME_COMPLETED));
  }

  @Test
  void whereTheTrialLeavesNoStateAtAllTheResetLeadsBack() throws DeviceException {
    model.wholeWith(WHOLE, true);
    RegionV1 device = destination(false);
    device.reset();
    model.failing("write 0/4=0", 7);
    device.transition(DeviceState.RESUME);
    assertThat(model.register()).isEqualTo(4);
    assertThat(model.resets()).isEqualTo(2);
    model.failing("", -1);
    device.writeState(ByteBuffer.allocateDirect(WHOLE));
    device.transition(DeviceState.RESUME_COMPLETED);
    device.transition(DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);
  }

  @Test
  void whatCannotBeFoundOutIsSaid() throws DeviceException {
    RegionV1 device = destination(false);
    device.reset();
    model.failing("write 0/4=0", 7, model::lost);
    assertThat(failureOf(() -> device.transition(DeviceState.RESUME)))
        .hasMessageContainingAll(ID, "finding out when its driver looks");
  }

  @Test
  void aDriverThatIsAtTheChangeYetIsWaitedFor() throws DeviceException {
    model.settling(3).wholeWith(WHOLE, false);
    RegionV1 device = loaded(WHOLE);
    device.transition(DeviceState.RESUME_COMPLETED);
    device.transition(DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }
}
