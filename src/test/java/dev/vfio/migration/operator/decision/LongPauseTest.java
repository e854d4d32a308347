package dev.vfio.migration.operator.decision;

import static dev.vfio.migration.operator.decision.MigrationScene.MIB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.SwitchoverStart;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** A pause ends: what a device reports while it lasts cannot postpone its limit for ever. */
class LongPauseTest {
  private static MigrationScene paused(Mode mode) {
    return new MigrationScene()
        .mode(mode)
        .touched()
        .phase(Phase.SWITCHING_OVER)
        .destination(SessionState.DESTINATION_RECEIVING);
  }

  private static MigrationScene sends(MigrationScene scene, long pending, long transferred) {
    return scene.source(
        Session.newBuilder()
            .setState(SessionState.SOURCE_STOPNCOPY)
            .setProgress(MigrationScene.progress(pending, transferred)));
  }

  @Test
  void aDeviceThatNeverRunsDryIsRolledBackHoweverFastItSends() {
    MigrationScene scene = sends(paused(Mode.COLD), 64 * MIB, 0);
    scene.decide();
    long sent = 0;
    int seconds = 0;
    while (scene.status().handover() == Handover.UNDECIDED && seconds < 3600) {
      seconds += 10;
      sent += 10_240 * MIB;
      sends(scene.after(Duration.ofSeconds(10)), 64 * MIB, sent).decide();
    }
    assertThat(scene.status().rollback().reason())
        .isEqualTo(ConditionReason.SWITCHOVER_TIMED_OUT.text());
    assertThat(seconds).isLessThanOrEqualTo(4 * (60 + 8) + 10);
  }

  @Test
  void aCopyThatFindsMoreIsGivenMoreTime() {
    MigrationScene scene = sends(paused(Mode.COLD), 64 * MIB, 0);
    scene.decide();
    sends(scene.after(Duration.ofSeconds(100)), 512 * MIB, 512 * MIB).decide();
    assertThat(scene.status().handover()).isEqualTo(Handover.UNDECIDED);
  }

  @Test
  void whatIsToBeCopiedIsRecordedOnce() {
    MigrationScene scene = sends(paused(Mode.COLD), 64 * MIB, 5);
    scene.decide();
    sends(scene.after(Duration.ofSeconds(5)), 900 * MIB, 7000).decide();
    assertThat(scene.status().switchoverStart()).isEqualTo(new SwitchoverStart(64 * MIB, 5));
  }

  /** Each leader counts anew how long an agent is away; the pause goes on meanwhile. */
  @Test
  void aPauseEndsHoweverOftenTheLeaderChangesWhileTheDestinationIsAway() {
    MigrationScene scene = sends(paused(Mode.COLD), 64 * MIB, 0);
    scene.decide();
    for (int leader = 0; leader < 20 && scene.status().rollback() == null; leader++) {
      scene.after(Duration.ofSeconds(20));
      scene.destinationAgent(new Side.Absent(scene.steady())).decide();
    }
    assertThat(scene.status().rollback().reason())
        .isEqualTo(ConditionReason.SWITCHOVER_TIMED_OUT.text());
  }

  /** Whether it has forgotten it is asked, and may not be answered. */
  @Test
  void aPauseEndsWhereAnAgentDoesNotSayWhetherItHasTheSession() {
    MigrationScene scene = sends(paused(Mode.COLD), 64 * MIB, 0);
    scene.decide();
    scene.withoutDestination().after(Duration.ofMinutes(10)).decide();
    assertThat(scene.status().rollback().reason())
        .isEqualTo(ConditionReason.SWITCHOVER_TIMED_OUT.text());
  }

  @Test
  void aLongPauseIsReported() {
    MigrationScene scene = sends(paused(Mode.LIVE), 64 * MIB, 0);
    scene.decide();
    assertThat(scene.reason(ConditionType.HANDED_OVER))
        .isNotEqualTo(ConditionReason.LONG_PAUSE.text());
    scene.after(SwitchingOverPhase.LONG_PAUSE).decide();
    assertThat(scene.reason(ConditionType.HANDED_OVER))
        .isEqualTo(ConditionReason.LONG_PAUSE.text());
    assertThat(scene.message(ConditionType.HANDED_OVER)).contains("spec.cancel");
  }
}
