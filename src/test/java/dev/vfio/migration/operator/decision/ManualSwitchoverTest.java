package dev.vfio.migration.operator.decision;

import static dev.vfio.migration.operator.decision.MigrationScene.MIB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.convergence.Sample;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Who holds the trigger decides: letting go of it switches over and never cancels. */
class ManualSwitchoverTest {
  private final MigrationScene scene =
      new MigrationScene()
          .touched()
          .phase(Phase.PRE_COPY)
          .switchover(Switchover.MANUAL)
          .sessions(SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_RECEIVING);

  private static Sample sample(int second, long pending, int round) {
    return new Sample(MigrationScene.START.plusSeconds(second), pending, 100 * MIB, round, false);
  }

  private void assertSwitchedOver() {
    scene.switchover(Switchover.AUTOMATIC).decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.UNDECIDED);
    assertThat(scene.status().phase()).isEqualTo(Phase.SWITCHING_OVER);
  }

  @Test
  void aConvergedCopyThatStalledMeanwhileIsSwitchedOver() {
    scene.copied(sample(0, 10 * MIB, 1)).decide();
    assertThat(scene.reason(ConditionType.CONVERGED))
        .isEqualTo(ConditionReason.WAITING_FOR_SWITCHOVER.text());
    scene.copied(sample(10, 900 * MIB, 20));
    scene.after(Duration.ofSeconds(10));
    assertSwitchedOver();
  }

  @Test
  void aStalledCopyIsSwitchedOver() {
    scene.copied(sample(0, 900 * MIB, 1), sample(10, 900 * MIB, 20)).decide();
    assertThat(scene.reason(ConditionType.CONVERGED)).isEqualTo(ConditionReason.STALLED.text());
    assertThat(scene.status().phase()).isEqualTo(Phase.PRE_COPY);
    assertSwitchedOver();
  }

  @Test
  void aCopyThatStillConvergesIsWaitedFor() {
    scene.copied(sample(0, 900 * MIB, 1)).decide();
    scene.switchover(Switchover.AUTOMATIC).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.PRE_COPY);
    scene.copied(sample(2, 10 * MIB, 2)).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SWITCHING_OVER);
  }
}
