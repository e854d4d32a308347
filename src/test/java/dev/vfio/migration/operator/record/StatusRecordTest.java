package dev.vfio.migration.operator.record;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.Specs;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StatusRecordTest {
  private final FakeApiServer api = new FakeApiServer();
  private final List<String> events = new ArrayList<>();

  private StatusRecord recordAt(Instant[] now) {
    Clock clock =
        new Clock() {
          @Override
          public Instant instant() {
            return now[0];
          }

          @Override
          public ZoneOffset getZone() {
            return ZoneOffset.UTC;
          }

          @Override
          public Clock withZone(java.time.ZoneId zone) {
            return this;
          }
        };
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void record(DeviceMigration about, EventReason reason, String note) {
            events.add(reason.text());
          }

          @Override
          public void close() {
            // Holds nothing.
          }
        };
    return new StatusRecord(
        api, recorder, (migration, before, after) -> {}, clock, Duration.ofSeconds(1));
  }

  private static DeviceMigrationStatus status(Phase phase, long transferred) {
    return new DeviceMigrationStatus(
        phase,
        1L,
        1,
        Handover.UNDECIDED,
        null,
        null,
        null,
        null,
        null,
        null,
        transferred,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null);
  }

  @Test
  void phasesAreWrittenAtOnceProgressOnceASecondAndEqualsNever() throws Exception {
    Instant[] now = {Instant.parse("2026-01-01T00:00:00Z")};
    StatusRecord record = recordAt(now);
    DeviceMigration migration = api.create("m", Specs.live());
    migration = record.write(migration, status(Phase.PREPARING, 0)).migration();
    migration = record.write(migration, status(Phase.PRE_COPY, 0)).migration();
    assertThat(api.history()).hasSize(2);

    now[0] = now[0].plusMillis(400);
    StatusRecord.Result held = record.write(migration, status(Phase.PRE_COPY, 5));
    assertThat(held.dueIn()).contains(Duration.ofMillis(600));
    assertThat(api.history()).hasSize(2);

    now[0] = now[0].plusMillis(600);
    migration = record.write(migration, status(Phase.PRE_COPY, 9)).migration();
    assertThat(api.history()).hasSize(3);
    now[0] = now[0].plusSeconds(60);
    record.write(migration, status(Phase.PRE_COPY, 9));
    assertThat(api.history()).hasSize(3);
    assertThat(events).containsExactly("PreCopyStarted");
  }

  @Test
  void aShortPauseIsNotDisturbedByProgress() throws Exception {
    Instant[] now = {Instant.parse("2026-01-01T00:00:00Z")};
    StatusRecord record = recordAt(now);
    DeviceMigration migration = api.create("m", Specs.live());
    migration = record.write(migration, status(Phase.SWITCHING_OVER, 0)).migration();
    now[0] = now[0].plusMillis(1500);
    assertThat(record.write(migration, status(Phase.SWITCHING_OVER, 5)).dueIn())
        .contains(Duration.ofMillis(500));
    assertThat(api.history()).hasSize(1);
  }
}
