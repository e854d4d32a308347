package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a replica does that does not lead: nothing that only a leader may. */
class StandbyDecisionTest {
  private static final OptionalLong RECORDED = OptionalLong.of(7);

  private static MigrationScene standby(Phase phase) {
    return new MigrationScene().phase(phase).touched().standby(RECORDED);
  }

  private static void assertDoesNothing(MigrationScene scene) {
    DeviceMigrationStatus before = scene.status();
    Decision decision = scene.decide();
    assertThat(decision.status()).isEqualTo(before);
    assertThat(decision.commands()).isEmpty();
    assertThat(decision.finished()).isFalse();
  }

  @ParameterizedTest
  @EnumSource(
      value = Phase.class,
      names = {"PENDING", "VALIDATING", "PREPARING", "PRE_COPY"})
  void nothingIsDoneWhileTheWorkloadRuns(Phase phase) {
    assertDoesNothing(
        standby(phase).sessions(SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_RECEIVING));
  }

  @Test
  void thePauseIsNeverBegun() {
    assertDoesNothing(
        standby(Phase.SWITCHING_OVER)
            .sessions(SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_RECEIVING));
  }

  @Test
  void whatIsLoadedIsVerifiedAndCommitted() {
    MigrationScene scene =
        standby(Phase.SWITCHING_OVER)
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    assertThat(scene.decide().commands()).containsExactly(new Command.VerifyLoaded());
    assertThat(scene.status().handover()).isEqualTo(Handover.UNDECIDED);
    Decision committed = scene.verified().decide();
    assertThat(committed.status().handover()).isEqualTo(Handover.COMMITTED);
    assertThat(committed.status().fencingNumber()).as("of the leader").isNull();
    assertThat(scene.decide().commands()).containsExactly(new Command.Activate());
  }

  @Test
  void theDecisionOfALeaderIsToldAndNothingElseIsRecorded() {
    MigrationScene scene = new MigrationScene().touched().record(StatusDraft::commit);
    scene
        .standby(RECORDED)
        .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    DeviceMigrationStatus before = scene.status();
    Decision decision = scene.decide();
    assertThat(decision.commands()).containsExactly(new Command.Activate());
    assertThat(decision.status()).isEqualTo(before);
    scene.destination(SessionState.DESTINATION_ACTIVE);
    assertDoesNothing(scene);
  }

  @Test
  void aFailedSideIsRolledBackAndBothSidesAreTold() {
    MigrationScene scene =
        standby(Phase.SWITCHING_OVER)
            .sessions(SessionState.SOURCE_ROLLING_BACK, SessionState.DESTINATION_LOADED);
    assertThat(scene.decide().status().handover()).isEqualTo(Handover.ROLLED_BACK);
    scene.source(SessionState.SOURCE_AWAITING_DECISION);
    assertThat(scene.decide().commands())
        .hasSize(2)
        .allMatch(command -> command instanceof Command.RollBack);
  }

  /** The leader may reach what this replica does not. */
  @Test
  void whatCannotBeReachedFromHereIsNotRolledBackForThat() {
    MigrationScene scene =
        standby(Phase.SWITCHING_OVER)
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED);
    Instant since = scene.steady();
    scene.destinationAgent(new Side.Unreachable("cut", since)).after(Duration.ofHours(1));
    assertDoesNothing(scene);
    MigrationScene forgotten =
        standby(Phase.SWITCHING_OVER)
            .source(SessionState.SOURCE_AWAITING_DECISION)
            .after(Duration.ofHours(1));
    assertDoesNothing(forgotten);
  }

  @Test
  void withoutTheNumberOfALeaderNothingIsDone() {
    assertDoesNothing(
        standby(Phase.SWITCHING_OVER)
            .standby(OptionalLong.empty())
            .sessions(SessionState.SOURCE_AWAITING_DECISION, SessionState.DESTINATION_LOADED));
  }

  @Test
  void aDestinationThatFailedAfterTheDecisionIsLeftToTheLeader() {
    MigrationScene scene = new MigrationScene().touched().record(StatusDraft::commit);
    scene
        .standby(RECORDED)
        .source(SessionState.SOURCE_AWAITING_DECISION)
        .destination(
            Session.newBuilder()
                .setState(SessionState.DESTINATION_STRANDED)
                .setFailure(Failure.newBuilder().setReason(Reason.NOT_LOADED).setMessage("lost")))
        .takeBack("the node burned");
    DeviceMigrationStatus before = scene.status();
    Decision decision = scene.decide();
    assertThat(decision.status()).isEqualTo(before);
    assertThat(decision.commands()).isEmpty();
  }

  @Test
  void aLeaderRecordsItsNumberBeforeItCommands() {
    MigrationScene scene =
        new MigrationScene()
            .at(
                Phase.SWITCHING_OVER,
                SessionState.SOURCE_AWAITING_DECISION,
                SessionState.DESTINATION_LOADED);
    assertThat(scene.decide().status().fencingNumber()).isEqualTo("1");
  }
}
