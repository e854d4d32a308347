package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** After Committed the source never runs again; one that says so stops everything. */
class CommittedContradictionTest {
  private static MigrationScene committed() {
    return new MigrationScene().touched().record(StatusDraft::commit);
  }

  @ParameterizedTest
  @EnumSource(
      value = SessionState.class,
      names = {
        "SOURCE_STARTING",
        "SOURCE_READY",
        "SOURCE_PRECOPY",
        "SOURCE_STOPNCOPY",
        "SOURCE_ROLLING_BACK",
        "SOURCE_ROLLED_BACK",
        "SOURCE_STRANDED"
      })
  void aDestinationIsNotActivatedWhileItsSourceMayRun(SessionState state) {
    for (SessionState destination :
        new SessionState[] {
          SessionState.DESTINATION_LOADED,
          SessionState.DESTINATION_STRANDED,
          SessionState.DESTINATION_ACTIVATING,
          SessionState.DESTINATION_ACTIVE
        }) {
      MigrationScene scene = committed().source(state).destination(destination);
      Decision decision = scene.decide();
      assertThat(decision.commands()).isEmpty();
      assertThat(decision.finished()).isFalse();
      assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
      assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
      assertThat(scene.reason(ConditionType.SUCCEEDED))
          .isEqualTo(ConditionReason.CONTRADICTION.text());
      assertThat(scene.message(ConditionType.SUCCEEDED))
          .contains("node-a", "node-b", state.name(), destination.name());
    }
  }

  @Test
  void aSourceThatRollsBackAfterSuccessIsReported() {
    MigrationScene scene =
        committed()
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_ACTIVE);
    scene.decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SUCCEEDED);
    scene.source(SessionState.SOURCE_ROLLED_BACK).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
  }

  /** Otherwise one report that was old would call a person for ever. */
  @Test
  void whatSucceededHasSucceededOnceTheContradictionIsTakenBack() {
    MigrationScene scene =
        committed().sessions(SessionState.SOURCE_COMPLETED, SessionState.DESTINATION_ACTIVE);
    scene.decide();
    scene.source(SessionState.SOURCE_STOPNCOPY).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
    scene
        .source(SessionState.SOURCE_COMPLETED)
        .withoutDestination()
        .listed(Role.DESTINATION, device -> device)
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SUCCEEDED);
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo(ConditionReason.COMPLETED.text());
  }

  @Test
  void aSourceWhoseJournalCannotBeReadDidNothingAndHoldsNothingUp() {
    MigrationScene scene =
        committed()
            .source(
                Session.newBuilder()
                    .setState(SessionState.SOURCE_STRANDED)
                    .setFailure(Failure.newBuilder().setReason(Reason.JOURNAL_FAILED)))
            .destination(SessionState.DESTINATION_LOADED);
    assertThat(scene.decide().commands()).containsExactly(new Command.Activate());
  }

  @Test
  void aSourceThatForgotThatItWasReleasedGetsCommitAgain() {
    MigrationScene scene =
        committed().sessions(SessionState.SOURCE_COMPLETED, SessionState.DESTINATION_ACTIVE);
    scene.decide();
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo(ConditionReason.COMPLETED.text());
    Decision again = scene.source(SessionState.SOURCE_AWAITING_DECISION).decide();
    assertThat(again.commands()).containsExactly(new Command.Commit());
    assertThat(scene.status().phase()).isEqualTo(Phase.SUCCEEDED);
  }
}
