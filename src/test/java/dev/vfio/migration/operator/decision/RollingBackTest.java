package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Touched;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Rolling back ends for whatever can be rolled back, and calls a person for what cannot. */
class RollingBackTest {
  private final MigrationScene scene = new MigrationScene();

  @Test
  void aStrandedDestinationGetsRollBack() {
    scene
        .rolledBack(ConditionReason.STRANDED)
        .sessions(SessionState.SOURCE_ROLLED_BACK, SessionState.DESTINATION_STRANDED);
    assertThat(scene.decide().commands())
        .containsExactly(new Command.RollBack(Role.DESTINATION, "Stranded: because"));
    assertThat(scene.status().phase()).isEqualTo(Phase.ROLLING_BACK);
    scene.destination(SessionState.DESTINATION_DISCARDED).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
  }

  @Test
  void onlyADestinationThatWasActivatedContradictsTheRollback() {
    Command command = new Command.RollBack(Role.DESTINATION, "Stranded: because");
    scene
        .rolledBack(ConditionReason.STRANDED)
        .sessions(SessionState.SOURCE_ROLLED_BACK, SessionState.DESTINATION_STRANDED)
        .refused(command, Reason.ALREADY_COMMITTED, true)
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
    assertThat(scene.reason(ConditionType.SUCCEEDED))
        .isEqualTo(ConditionReason.CONTRADICTION.text());
    // Asked again before the agent has answered again, long after the limit.
    scene.after(Duration.ofHours(1)).destination(SessionState.DESTINATION_STRANDED).decide();
    assertThat(scene.reason(ConditionType.SUCCEEDED))
        .isEqualTo(ConditionReason.CONTRADICTION.text());
  }

  /** A server that died has nothing any more, and nobody knows of one that does not answer. */
  @Test
  void onlyOfADeviceThatAnswersItIsSaidThatItIsStillThere() {
    assertThat(strandedSource(Reason.TRANSITION_FAILED)).contains("answers and was not reset");
    for (Reason reason :
        new Reason[] {
          Reason.DEVICE_UNREACHABLE,
          Reason.UNKNOWN_DEVICE,
          Reason.DEVICE_PROTOCOL_VIOLATION,
          Reason.WORKLOAD_UNREACHABLE,
          Reason.JOURNAL_FAILED
        }) {
      assertThat(strandedSource(reason))
          .as(reason.name())
          .contains("the agent's words", "keeps trying to roll it back")
          .doesNotContain("still in the device", "not reset");
    }
  }

  private static String strandedSource(Reason reason) {
    MigrationScene scene = new MigrationScene();
    scene
        .rolledBack(ConditionReason.STREAM_BROKEN)
        .source(
            Session.newBuilder()
                .setState(SessionState.SOURCE_STRANDED)
                .setFailure(Failure.newBuilder().setReason(reason).setMessage("the agent's words")))
        .destination(SessionState.DESTINATION_DISCARDED)
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
    return scene.message(ConditionType.SUCCEEDED);
  }

  @Test
  void whereTheWorkloadDiedAPersonIsAskedToStartItAnew() {
    for (boolean died : new boolean[] {true, false}) {
      MigrationScene scene = new MigrationScene();
      scene
          .rolledBack(ConditionReason.CANCELLED_BY_USER)
          .source(
              Session.newBuilder()
                  .setState(SessionState.SOURCE_ROLLED_BACK)
                  .setDeviceState(DeviceState.RUNNING)
                  .setProgress(Progress.newBuilder().setDowntimeNanos(1))
                  .setFailure(
                      Failure.newBuilder()
                          .setReason(Reason.WORKLOAD_UNREACHABLE)
                          .setErrno(died ? 3 : 16)
                          .setMessage("it said so.")))
          .destination(SessionState.DESTINATION_DISCARDED)
          .decide();
      assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
      assertThat(scene.message(ConditionType.SUCCEEDED)).contains("it said so.");
      assertThat(
              scene.message(ConditionType.SUCCEEDED).contains("of vfio-user:gpu-0 on node-a anew"))
          .isEqualTo(died);
      assertThat(scene.message(ConditionType.SOURCE_READY).contains("its workload goes on"))
          .isEqualTo(!died);
    }
  }

  @Test
  void aForgottenSourceThatRunsIsDone() {
    scene
        .rolledBack(ConditionReason.SESSION_LOST)
        .destination(SessionState.DESTINATION_DISCARDED)
        .listed(Role.SOURCE, device -> device.setState(DeviceState.RUNNING));
    Decision decision = scene.delete().decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(decision.finished()).isTrue();
  }

  @Test
  void aForgottenSourceThatMayNotRunIsAPersonsBusinessAndHasAWayOut() {
    scene
        .rolledBack(ConditionReason.SESSION_LOST)
        .destination(SessionState.DESTINATION_DISCARDED)
        .listed(Role.SOURCE, device -> device.setState(DeviceState.STOPNCOPY))
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
    assertThat(scene.message(ConditionType.SUCCEEDED)).contains("STOPNCOPY", "finalizer");
  }

  @Test
  void aSourceWhoseJournalCannotBeWrittenWasNotTouched() {
    scene
        .touched()
        .phase(Phase.PREPARING)
        .destination(SessionState.DESTINATION_LISTENING)
        .refused(new Command.StartSource(), Reason.JOURNAL_FAILED, false)
        .decide();
    assertThat(scene.status().rollback().reason()).isEqualTo(ConditionReason.JOURNAL_FAILED.text());
    assertThat(scene.status().touched()).isEqualTo(new Touched(false, true));
    scene.withoutSource().destination(SessionState.DESTINATION_DISCARDED).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(scene.status().touched()).isEqualTo(Touched.NEITHER);
  }

  @Test
  void aLateRefusalSaysNothingAboutWhatWasDoneBefore() {
    scene
        .touched()
        .phase(Phase.PRE_COPY)
        .withoutSource()
        .destination(SessionState.DESTINATION_RECEIVING)
        .refused(new Command.SwitchOver(), Reason.INVALID_REQUEST, true)
        .decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.status().touched().source()).isTrue();
  }

  @Test
  void aSideThatConfirmedStaysDoneWhenItsAgentForgets() {
    scene
        .rolledBack(ConditionReason.STREAM_BROKEN)
        .sessions(SessionState.SOURCE_ROLLED_BACK, SessionState.DESTINATION_DISCARDING)
        .decide();
    assertThat(scene.status().touched()).isEqualTo(new Touched(false, true));
    scene.withoutSource().destination(SessionState.DESTINATION_DISCARDED).decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
  }

  @Test
  void aSourceThatSendsButIsNotReportedYetIsAskedAboutAndNotStartedAgain() {
    scene
        .touched()
        .phase(Phase.PREPARING)
        .withoutSource()
        .destination(SessionState.DESTINATION_RECEIVING);
    assertThat(scene.decide().commands()).containsExactly(new Command.Inspect(Role.SOURCE));
    scene.listed(Role.SOURCE, device -> device.setClaimedBy("uid/1")).decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.UNDECIDED);
    scene.listed(Role.SOURCE, device -> device).decide();
    assertThat(scene.status().rollback().reason()).isEqualTo(ConditionReason.SESSION_LOST.text());
    assertThat(scene.status().touched().source()).isTrue();
  }

  @Test
  void aPausedWorkloadOfAForgottenSourceIsAPersonsBusiness() {
    scene
        .rolledBack(ConditionReason.SESSION_LOST)
        .destination(SessionState.DESTINATION_DISCARDED)
        .listed(
            Role.SOURCE,
            device ->
                device
                    .setState(DeviceState.RUNNING)
                    .setWorkloadState(WorkloadState.WORKLOAD_PAUSED))
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.ACTION_REQUIRED);
  }

  @Test
  void aDeviceThatCouldNotBeResetIsReported() {
    scene
        .rolledBack(ConditionReason.STREAM_BROKEN)
        .source(SessionState.SOURCE_ROLLED_BACK)
        .destination(SessionState.DESTINATION_DISCARDED, "could not be reset (EIO)");
    scene.decide();
    assertThat(scene.reason(ConditionType.DESTINATION_READY))
        .isEqualTo(ConditionReason.RESET_FAILED.text());
    assertThat(scene.message(ConditionType.SUCCEEDED)).contains("reset it. DestinationReady says");
    assertThat(scene.message(ConditionType.DESTINATION_READY)).contains("reset", "EIO");
  }
}
