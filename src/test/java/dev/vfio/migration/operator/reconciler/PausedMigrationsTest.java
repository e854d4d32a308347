package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** Which migrations a replica goes on with that does not lead. */
class PausedMigrationsTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

  private final PausedMigrations paused = new PausedMigrations(Duration.ofSeconds(1));

  private static DeviceMigration in(Phase phase) {
    DeviceMigration migration = new DeviceMigration();
    migration.getMetadata().setName("move");
    migration.getMetadata().setUid("uid");
    migration.setStatus(new StatusDraft(NOW, 1, DeviceMigrationStatus.EMPTY).enter(phase).build(1));
    return migration;
  }

  @Test
  void aPausedMigrationOfWhichNothingWasHeardIsAbandoned() {
    paused.changed(in(Phase.SWITCHING_OVER), NOW);
    assertThat(paused.abandoned(NOW.plusMillis(999))).isEmpty();
    assertThat(paused.abandoned(NOW.plusMillis(1000))).hasSize(1);
  }

  @Test
  void whatIsHeardOfItsSessionsCountsAsWellAsAChangeOfTheObject() {
    paused.changed(in(Phase.SWITCHING_OVER), NOW);
    paused.heard("uid", NOW.plusMillis(900));
    assertThat(paused.abandoned(NOW.plusMillis(1800))).isEmpty();
    paused.changed(in(Phase.COMMITTED), NOW.plusMillis(1800));
    assertThat(paused.abandoned(NOW.plusMillis(2700))).isEmpty();
    assertThat(paused.abandoned(NOW.plusMillis(2800))).hasSize(1);
  }

  @Test
  void aMigrationWhoseWorkloadRunsIsNeverAbandoned() {
    for (Phase phase : Phase.values()) {
      boolean stands =
          phase == Phase.SWITCHING_OVER || phase == Phase.COMMITTED || phase == Phase.ROLLING_BACK;
      assertThat(paused.changed(in(phase), NOW)).as(phase.text()).isEqualTo(stands);
      assertThat(paused.abandoned(NOW.plusSeconds(60))).hasSize(stands ? 1 : 0);
    }
  }

  @Test
  void whatIsHeardOfAMigrationThatIsNotPausedIsNotKept() {
    paused.heard("uid", NOW);
    assertThat(paused.abandoned(NOW.plusSeconds(60))).isEmpty();
    paused.changed(in(Phase.SWITCHING_OVER), NOW);
    paused.removed("uid");
    assertThat(paused.abandoned(NOW.plusSeconds(60))).isEmpty();
  }
}
