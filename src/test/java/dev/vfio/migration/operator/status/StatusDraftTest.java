package dev.vfio.migration.operator.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class StatusDraftTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  private static StatusDraft draft(DeviceMigrationStatus before, int second) {
    return new StatusDraft(START.plusSeconds(second), 1, before);
  }

  @Test
  void lastTransitionTimeOnlyFollowsTheStatusOfACondition() {
    DeviceMigrationStatus first =
        draft(DeviceMigrationStatus.EMPTY, 0)
            .condition(
                ConditionType.CONVERGED, Status.FALSE, ConditionReason.COPYING, "100Mi pending")
            .build(1);
    DeviceMigrationStatus second =
        draft(first, 5)
            .condition(ConditionType.CONVERGED, Status.FALSE, ConditionReason.STALLED, "still")
            .build(1);
    assertThat(second.conditions().get(0).lastTransitionTime()).isEqualTo("2026-01-01T00:00:00Z");
    assertThat(second.conditions().get(0).reason()).isEqualTo("Stalled");
    DeviceMigrationStatus third =
        draft(second, 9)
            .condition(ConditionType.CONVERGED, Status.TRUE, ConditionReason.BELOW_THRESHOLD, "now")
            .build(1);
    assertThat(third.conditions().get(0).lastTransitionTime()).isEqualTo("2026-01-01T00:00:09Z");
  }

  @Test
  void theHandoverIsDecidedOnce() {
    DeviceMigrationStatus committed = draft(DeviceMigrationStatus.EMPTY, 0).commit().build(1);
    assertThatIllegalStateException()
        .isThrownBy(
            () -> draft(committed, 1).rollBack(ConditionReason.CANCELLED_BY_USER, "late", true));
    DeviceMigrationStatus back =
        draft(DeviceMigrationStatus.EMPTY, 0)
            .rollBack(ConditionReason.STREAM_BROKEN, "cut", false)
            .build(1);
    assertThatIllegalStateException().isThrownBy(() -> draft(back, 1).commit());
  }

  @Test
  void onlyTheLastTransitionsAreKept() {
    StatusDraft draft = draft(DeviceMigrationStatus.EMPTY, 0);
    for (int turn = 0; turn < 40; turn++) {
      draft.enter(turn % 2 == 0 ? Phase.PENDING : Phase.VALIDATING);
    }
    assertThat(draft.build(1).phaseTransitions()).hasSize(PhaseHistory.MAX_TRANSITIONS);
  }

  @Test
  void whatDidNotChangeIsEqual() {
    DeviceMigrationStatus once =
        draft(DeviceMigrationStatus.EMPTY, 0)
            .enter(Phase.PENDING)
            .condition(
                ConditionType.VALIDATED, Status.UNKNOWN, ConditionReason.VALIDATING, "asking")
            .build(1);
    DeviceMigrationStatus again =
        draft(once, 60)
            .enter(Phase.PENDING)
            .condition(
                ConditionType.VALIDATED, Status.UNKNOWN, ConditionReason.VALIDATING, "asking")
            .build(1);
    assertThat(again).isEqualTo(once);
  }
}
