package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionType;
import org.junit.jupiter.api.Test;

/** How a migration that succeeded ends at its source. */
class SourceReleasedTest {
  private final MigrationScene scene =
      new MigrationScene()
          .touched()
          .record(draft -> draft.enter(Phase.COMMITTED).commit().enter(Phase.SUCCEEDED))
          .destination(SessionState.DESTINATION_ACTIVE);

  private void released(String notReset) {
    Session.Builder session = Session.newBuilder().setState(SessionState.SOURCE_COMPLETED);
    if (notReset != null) {
      session.setResetFailed(true).setFailure(Failure.newBuilder().setMessage(notReset));
    }
    scene.source(session).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SUCCEEDED);
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo("Completed");
  }

  @Test
  void aSourceThatIsReleasedIsNoLongerSaidToBeCleaningUp() {
    scene.source(SessionState.SOURCE_COMPLETING).decide();
    assertThat(scene.reason(ConditionType.SOURCE_READY)).isEqualTo("CleaningUp");
    released(null);
    assertThat(scene.reason(ConditionType.SOURCE_READY)).isEqualTo("Released");
    assertThat(scene.message(ConditionType.SUCCEEDED)).doesNotContain("To be done");
  }

  @Test
  void aSourceThatWasNotResetIsReportedAndStaysReported() {
    released("could not be reset. Reset it: echo 1 > /sys/bus/pci/devices/0000:65:00.1/reset");
    for (int look = 0; look < 2; look++) {
      assertThat(scene.reason(ConditionType.SOURCE_READY)).isEqualTo("ResetFailed");
      assertThat(scene.message(ConditionType.SOURCE_READY)).contains("was not reset", "echo 1 >");
      assertThat(scene.message(ConditionType.SUCCEEDED))
          .contains("The workload runs with", "To be done: reset", "SourceReady says");
      // Its agent forgets what ended long ago.
      scene.withoutSource().decide();
    }
  }
}
