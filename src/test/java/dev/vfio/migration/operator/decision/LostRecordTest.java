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
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A status that was emptied is not the status of a migration that never began. */
class LostRecordTest {

  @ParameterizedTest
  @EnumSource(names = {"DESTINATION_ACTIVATING", "DESTINATION_ACTIVE"})
  void whatWasActivatedWasCommittedWhateverTheStatusLost(SessionState state) {
    for (Phase phase : new Phase[] {null, Phase.VALIDATING, Phase.SWITCHING_OVER}) {
      MigrationScene scene = new MigrationScene();
      if (phase != null) {
        scene.phase(phase);
      }
      Decision decision =
          scene.source(SessionState.SOURCE_AWAITING_DECISION).destination(state).decide();
      assertThat(decision.commands()).as("recorded first").isEmpty();
      assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
      assertThat(scene.status().phase()).isEqualTo(Phase.COMMITTED);
      assertThat(scene.message(ConditionType.HANDED_OVER)).contains(state.name());
      assertThat(scene.decide().commands())
          .noneMatch(
              command -> command instanceof Command.RollBack || command instanceof Command.Cancel);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"SOURCE_COMPLETING", "SOURCE_COMPLETED"})
  void aSourceThatReleasedItsDeviceWasCommitted(SessionState state) {
    MigrationScene scene = new MigrationScene().source(state);
    scene.decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
  }

  @ParameterizedTest
  @EnumSource(
      value = Phase.class,
      names = {"COMMITTED", "SUCCEEDED", "ACTION_REQUIRED"})
  void aPhaseAfterTheDecisionStandsForItWhereTheDecisionIsMissing(Phase phase) {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.SWITCHING_OVER)
            .touched()
            .record(StatusDraft::commit)
            .phase(phase);
    Decision decision = scene.loseHandover().source(SessionState.SOURCE_AWAITING_DECISION).decide();
    assertThat(decision.commands()).isEmpty();
    assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
  }

  @Test
  void whatWasNotCommittedGoesBackAndIsNotBegunAnew() {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.PRE_COPY)
            .touched()
            .loseStatus()
            .sessions(SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_RECEIVING);
    scene.decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.reason(ConditionType.SUCCEEDED))
        .isEqualTo(ConditionReason.CONTRADICTION.text());
    assertThat(scene.status().touched().source()).isTrue();
    assertThat(scene.status().touched().destination()).isTrue();
    assertThat(scene.decide().commands()).hasSize(2).allMatch(Command.RollBack.class::isInstance);
  }

  /** Deleted or cancelled meanwhile: an object that says nothing does not leave its sessions. */
  @Test
  void whatIsDeletedWithoutItsStatusIsRolledBackFirst() {
    MigrationScene scene =
        new MigrationScene()
            .loseStatus()
            .delete()
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    Decision decision = scene.decide();
    assertThat(decision.finished()).isFalse();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.status().phase()).isEqualTo(Phase.ROLLING_BACK);
  }

  /** It strands before the decision and after it: no side is told what the other contradicts. */
  @Test
  void whereItMayHaveBeenCommittedNoCommandIsGiven() {
    MigrationScene scene =
        new MigrationScene()
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_STRANDED);
    for (int look = 0; look < 3; look++) {
      assertThat(scene.decide().commands()).isEmpty();
      assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
      assertThat(scene.status().handover()).isIn(null, Handover.UNDECIDED);
      assertThat(scene.message(ConditionType.SUCCEEDED)).contains("Activating", "node-b");
    }
    scene.destination(SessionState.DESTINATION_ACTIVE).decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
  }

  /**
   * Committed and activated, then the status was emptied while nobody reaches the destination: the
   * source waits, for the other one runs.
   */
  @Test
  void aSourceThatWaitsGetsNoCommandWhileTheDestinationIsNotSeen() {
    for (Phase phase : new Phase[] {null, Phase.VALIDATING, Phase.PRE_COPY, Phase.PREPARING}) {
      MigrationScene scene = new MigrationScene();
      if (phase != null) {
        scene.phase(phase);
      }
      scene
          .source(SessionState.SOURCE_AWAITING_DECISION)
          .destinationAgent(new Side.Unreachable("refused", MigrationScene.START));
      for (int look = 0; look < 3; look++) {
        assertThat(scene.after(Duration.ofHours(1)).decide().commands()).isEmpty();
        assertThat(scene.status().handover()).isIn(null, Handover.UNDECIDED);
        assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
      }
      scene
          .destinationAgent(new Side.Reachable("10.0.0.1"))
          .destination(SessionState.DESTINATION_ACTIVE)
          .decide();
      assertThat(scene.status().handover()).isEqualTo(Handover.COMMITTED);
    }
  }

  /** Its agent has forgotten the session, which one that was activated long ago has too. */
  @Test
  void aDestinationWithoutSessionMayHaveRunLongAgo() {
    MigrationScene scene = new MigrationScene().source(SessionState.SOURCE_AWAITING_DECISION);
    scene.listed(Role.DESTINATION, device -> device.setBusy(false));
    assertThat(scene.decide().commands()).isEmpty();
    assertThat(scene.status().handover()).isIn(null, Handover.UNDECIDED);
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
  }

  /** A command to activate it may be under way yet. */
  @Test
  void theSourceGoesBackOnceTheDestinationHasDiscarded() {
    MigrationScene scene =
        new MigrationScene()
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    scene.decide();
    assertThat(scene.decide().commands()).hasSize(1).allMatch(this::isForDestination);
    scene.destination(SessionState.DESTINATION_ACTIVE);
    assertThat(scene.decide().commands()).isEmpty();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);

    scene.destination(SessionState.DESTINATION_DISCARDED);
    assertThat(scene.decide().commands())
        .singleElement()
        .matches(command -> command.side() == Role.SOURCE);
  }

  private boolean isForDestination(Command command) {
    return command.side() == Role.DESTINATION;
  }

  /** It says of itself that it was told to go back, so that nobody is waited for. */
  @Test
  void aPhaseAfterRolledBackStandsForIt() {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.ROLLING_BACK)
            .source(SessionState.SOURCE_AWAITING_DECISION)
            .destinationAgent(new Side.Unreachable("refused", MigrationScene.START));
    scene.decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.decide().commands())
        .singleElement()
        .matches(command -> command.side() == Role.SOURCE);
  }

  /** A status of some minutes ago: in PreCopy nobody looks how long the workload is paused. */
  @Test
  void aPauseThatThePhaseKnowsNothingOfEnds() {
    MigrationScene scene =
        new MigrationScene()
            .at(Phase.PRE_COPY, SessionState.SOURCE_STOPNCOPY, SessionState.DESTINATION_RECEIVING);
    scene.decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.decide().commands()).hasSize(2).allMatch(Command.RollBack.class::isInstance);
  }

  /**
   * Its journal is damaged: it waits for the decision by itself, and nothing of the status is lost.
   */
  @Test
  void aSourceThatFailedInPreCopyRollsBackForItsOwnFailure() {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.PRE_COPY)
            .touched()
            .source(
                Session.newBuilder()
                    .setState(SessionState.SOURCE_AWAITING_DECISION)
                    .setFailure(
                        Failure.newBuilder().setReason(Reason.JOURNAL_FAILED).setMessage("torn")))
            .destinationAgent(new Side.Unreachable("refused", MigrationScene.START));
    scene.decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.status().rollback().reason())
        .isNotEqualTo(ConditionReason.CONTRADICTION.text());
    assertThat(scene.decide().commands())
        .singleElement()
        .matches(command -> command.side() == Role.SOURCE);
  }

  @Test
  void aDecisionWithoutAPhaseHasTheFirstPhaseBehindIt() {
    MigrationScene committed = new MigrationScene().record(StatusDraft::commit).losePhases();
    committed.destinationAgent(new Side.Unreachable("refused", MigrationScene.START)).decide();
    assertThat(committed.status().phase()).isEqualTo(Phase.COMMITTED);
    committed.after(Duration.ofHours(1)).decide();
    assertThat(committed.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);

    MigrationScene back =
        new MigrationScene()
            .rolledBack(ConditionReason.AGENT_FAILED)
            .losePhases()
            .sourceAgent(new Side.Unreachable("refused", MigrationScene.START))
            .destinationAgent(new Side.Unreachable("refused", MigrationScene.START));
    back.decide();
    assertThat(back.status().phase()).isEqualTo(Phase.ROLLING_BACK);
    assertThat(back.decide().finished()).as("the source is still paused").isFalse();
  }

  @Test
  void aPhaseThatLostWhenItWasEnteredHasItsLimitAllTheSame() {
    MigrationScene scene =
        new MigrationScene()
            .phase(Phase.SWITCHING_OVER)
            .touched()
            .loseTransitions()
            .sessions(SessionState.SOURCE_STOPNCOPY, SessionState.DESTINATION_RECEIVING);
    scene.decide();
    scene.after(Duration.ofHours(1)).decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
  }

  @Test
  void whatWasNeverBegunBeginsAsEver() {
    MigrationScene scene = new MigrationScene();
    scene.decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.VALIDATING);
  }
}
