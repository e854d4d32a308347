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

/** After Committed, the source runs again only where its destination gave up for good. */
class TakeBackTest {
  private static final String WHY = "the destination's device was reset";

  private static Session.Builder lost() {
    return Session.newBuilder()
        .setState(SessionState.DESTINATION_STRANDED)
        .setFailure(Failure.newBuilder().setReason(Reason.NOT_LOADED).setMessage("it was reset"));
  }

  private static MigrationScene committed() {
    return new MigrationScene()
        .touched()
        .record(StatusDraft::commit)
        .source(SessionState.SOURCE_AWAITING_DECISION);
  }

  @Test
  void nobodyIsAskedToGiveUpBeforeAnAdministratorWantsIt() {
    MigrationScene scene = committed().destination(lost());
    assertThat(scene.decide().commands()).doesNotContain(new Command.GiveUp(WHY));
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
  }

  @Test
  void theSourceRunsAgainOnceTheDestinationHasGivenUp() {
    MigrationScene scene = committed().destination(lost()).takeBack(WHY);
    assertThat(scene.decide().commands()).containsExactly(new Command.GiveUp(WHY));
    assertThat(scene.message(ConditionType.SUCCEEDED)).contains("is asked to give up");
    assertThat(scene.status().takenBack()).isFalse();

    scene.destination(SessionState.DESTINATION_DISCARDING);
    assertThat(scene.decide().commands()).doesNotContain(new Command.Activate());
    assertThat(scene.status().takenBack()).as("not on its disk yet").isFalse();

    scene.destination(SessionState.DESTINATION_DISCARDED);
    scene.decide();
    assertThat(scene.status().handover()).as("never changes").isEqualTo(Handover.COMMITTED);
    assertThat(scene.status().rollback().reason()).isEqualTo("TakenBack");
    assertThat(scene.status().rollback().message()).contains(WHY);
    assertThat(scene.status().phase()).isEqualTo(Phase.ROLLING_BACK);
    assertThat(scene.reason(ConditionType.HANDED_OVER)).isEqualTo("TakenBack");

    assertThat(scene.decide().commands())
        .hasSize(1)
        .allMatch(
            command -> command instanceof Command.RollBack back && back.side() == Role.SOURCE);
    scene.source(SessionState.SOURCE_ROLLING_BACK);
    assertThat(scene.decide().commands()).isEmpty();
    scene.source(SessionState.SOURCE_ROLLED_BACK);
    assertThat(scene.decide().finished()).isTrue();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo(ConditionReason.TAKEN_BACK.text());
  }

  @Test
  void whatTheAgentRefusesToGiveUpIsToldAndActivatedAsBefore() {
    MigrationScene scene =
        committed()
            .destination(lost())
            .takeBack(WHY)
            .refused(new Command.GiveUp(WHY), Reason.ALREADY_COMMITTED, true);
    assertThat(scene.decide().commands()).contains(new Command.Activate());
    assertThat(scene.status().takenBack()).isFalse();
    assertThat(scene.message(ConditionType.SUCCEEDED))
        .contains("The source is not taken back", "refused: ALREADY_COMMITTED");
  }

  /** Nobody else knows whether the workload ran there. */
  @Test
  void withoutTheDestinationsAgentTheSourceIsNotTakenBack() {
    MigrationScene away = committed().destination(lost()).takeBack(WHY);
    away.destinationAgent(new Side.Absent(away.steady()));
    assertThat(away.decide().commands()).isEmpty();
    assertThat(away.message(ConditionType.SUCCEEDED)).contains("it cannot be reached");
    away.destination(SessionState.DESTINATION_DISCARDED)
        .destinationAgent(new Side.Absent(away.steady()));
    away.decide();
    assertThat(away.status().takenBack()).as("what is seen may be old").isFalse();

    MigrationScene forgotten = committed().takeBack(WHY).listed(Role.DESTINATION, device -> device);
    assertThat(forgotten.decide().commands()).isEmpty();
    assertThat(forgotten.message(ConditionType.SUCCEEDED)).contains("no longer knows");
  }

  @Test
  void aDestinationThatRunsEndsInSuccessWhateverIsAsked() {
    MigrationScene scene = committed().destination(SessionState.DESTINATION_ACTIVE).takeBack(WHY);
    scene.decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.SUCCEEDED);
    assertThat(scene.status().takenBack()).isFalse();
  }

  @Test
  void whatWasDiscardedWithoutBeingAskedForStaysAContradiction() {
    MigrationScene scene = committed().destination(SessionState.DESTINATION_DISCARDED);
    scene.decide();
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo("Contradiction");
  }

  @Test
  void beforeTheDecisionItMeansNothing() {
    MigrationScene scene =
        new MigrationScene()
            .at(
                Phase.SWITCHING_OVER,
                SessionState.SOURCE_AWAITING_DECISION,
                SessionState.DESTINATION_LOADED)
            .takeBack(WHY);
    assertThat(scene.decide().commands()).containsExactly(new Command.VerifyLoaded());
  }
}
