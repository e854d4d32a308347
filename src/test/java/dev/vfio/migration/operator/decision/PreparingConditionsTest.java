package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionType;
import org.junit.jupiter.api.Test;

/**
 * Each step of Preparing is in a condition as soon as it is decided, and not one decision later.
 */
class PreparingConditionsTest {

  @Test
  void theSourceIsStartingBeforeItsFirstCommand() {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.PREPARING)
            .record(draft -> draft.touch(Role.DESTINATION))
            .destination(SessionState.DESTINATION_LISTENING);
    assertThat(scene.decide().commands()).isEmpty();
    assertThat(scene.reason(ConditionType.SOURCE_READY)).isEqualTo("Starting");
  }

  @Test
  void copyingIsReportedWithThePhase() {
    MigrationScene scene =
        new MigrationScene()
            .at(Phase.PREPARING, SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_RECEIVING);
    scene.decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.PRE_COPY);
    assertThat(scene.reason(ConditionType.CONVERGED)).isEqualTo("Copying");
  }

  @Test
  void aColdMigrationIsReportedWithThePhase() {
    MigrationScene scene =
        new MigrationScene()
            .mode(Mode.COLD)
            .at(Phase.PREPARING, SessionState.SOURCE_READY, SessionState.DESTINATION_LISTENING);
    scene.decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SWITCHING_OVER);
    assertThat(scene.reason(ConditionType.CONVERGED)).isEqualTo("Cold");
  }
}
