package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.StatusDraft;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import org.junit.jupiter.api.Test;

/** A spec that becomes unreadable on the way leaves no workload paused and nobody untold. */
class OddSpecTest {
  private static final InvalidSpecException PROBLEM =
      new InvalidSpecException(ConditionReason.INVALID_SPEC, "spec cannot be read.");

  @Test
  void bothEndsAreReadFromASpecThatCannotBeRead() {
    DeviceMigration migration =
        new KubernetesSerialization()
            .unmarshal(
                """
                {"apiVersion": "migration.vfio.dev/v1alpha1", "kind": "DeviceMigration",
                 "spec": {"source": {"nodeName": "node-a", "device": "vfio-user:gpu-0"},
                          "destination": {"nodeName": "node-b", "device": "vfio-user:gpu-0"},
                          "convergence": {"mode": "Lukewarm"}}}
                """,
                DeviceMigration.class);
    assertThat(migration.getSpec().unreadable()).isNotBlank();
    Settings remains = Settings.remainsOf(migration.getSpec()).orElseThrow();
    assertThat(remains.source()).isEqualTo(MigrationScene.SOURCE);
    assertThat(remains.destination()).isEqualTo(MigrationScene.DESTINATION);
  }

  @Test
  void whatIsUndecidedGoesBack() {
    MigrationScene scene =
        new MigrationScene()
            .touched()
            .phase(Phase.SWITCHING_OVER)
            .sessions(SessionState.SOURCE_STOPNCOPY, SessionState.DESTINATION_RECEIVING);
    Decision decision = Decisions.underWay(scene.seen(), PROBLEM);
    assertThat(decision.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(decision.status().rollback().message()).contains("spec cannot be read");
  }

  @Test
  void whatIsCommittedIsEnded() {
    MigrationScene scene =
        new MigrationScene()
            .touched()
            .record(StatusDraft::commit)
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    Decision decision = Decisions.underWay(scene.seen(), PROBLEM);
    assertThat(decision.status().handover()).isEqualTo(Handover.COMMITTED);
    assertThat(decision.commands()).containsExactly(new Command.Activate());
  }

  @Test
  void whereNotEvenTheEndsAreKnownAConditionSaysSo() {
    MigrationScene scene = new MigrationScene().touched().phase(Phase.SWITCHING_OVER);
    Decision decision = Decisions.invalid(MigrationScene.START, 2, scene.status(), PROBLEM);
    assertThat(decision.finished()).isFalse();
    assertThat(decision.status().phase()).isEqualTo(Phase.SWITCHING_OVER);
    assertThat(decision.status().conditions())
        .anySatisfy(
            condition -> {
              assertThat(condition.reason()).isEqualTo(ConditionReason.INVALID_SPEC.text());
              assertThat(condition.message()).contains("Left as it is");
            });
  }
}
