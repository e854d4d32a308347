package dev.vfio.migration.operator.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** That a source was taken back after Committed stays readable in an event. */
class TakenBackEventTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

  private static StatusDraft after(DeviceMigrationStatus status) {
    return new StatusDraft(NOW, 1, status);
  }

  @Test
  void theEventSaysWhyAndIsGivenOnce() {
    DeviceMigrationStatus committed = after(DeviceMigrationStatus.EMPTY).commit().build(1);
    DeviceMigrationStatus takenBack =
        after(committed).takeBack(ConditionReason.TAKEN_BACK, "the node burned").build(1);
    assertThat(EventDifference.between(committed, takenBack))
        .extracting(EventDifference.Difference::reason, EventDifference.Difference::note)
        .contains(tuple(EventReason.TAKEN_BACK, "the node burned"));
    assertThat(EventDifference.between(takenBack, takenBack)).isEmpty();
  }
}
