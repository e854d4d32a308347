package dev.vfio.migration.sandbox.cluster.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The judge of one round sees neither the rounds before it, nor a dead device run. */
class RoundEventsTest {
  private static final long SECOND_ROUND = 500;

  private final List<DeviceEvent> here = new ArrayList<>();
  private final List<DeviceEvent> there = new ArrayList<>();
  private final List<DeviceEvent> deaths = new ArrayList<>();

  private static void state(List<DeviceEvent> log, long at, String from, String to) {
    log.add(event(at, "state", from, to));
  }

  private static void workload(List<DeviceEvent> log, long at, String to) {
    log.add(event(at, "workload", "", to));
  }

  private static DeviceEvent event(long at, String kind, String from, String to) {
    return new DeviceEvent(
        at,
        "node",
        "gpu",
        kind,
        JsonNodeFactory.instance.objectNode().put("from", from).put("to", to));
  }

  /** A move from here to there, as the first round. */
  private void movedThere() {
    state(here, 1, "NONE", "RUNNING");
    workload(here, 2, "running");
    workload(there, 3, "waiting");
    state(there, 100, "NONE", "RESUME");
    workload(here, 110, "paused");
    state(here, 120, "RUNNING", "STOPNCOPY");
    state(there, 130, "RESUME", "RESUME_COMPLETED");
    state(there, 140, "RESUME_COMPLETED", "RUNNING");
    workload(there, 141, "running");
    state(here, 150, "STOPNCOPY", "SAVE_COMPLETED");
    workload(here, 151, "released");
    state(here, 160, "SAVE_COMPLETED", "NONE");
    workload(here, 161, "waiting");
  }

  private HandoverEvidence secondRound() {
    return new HandoverEvidence(
        RoundEvents.since(SECOND_ROUND, there, deaths),
        RoundEvents.since(SECOND_ROUND, here, List.of()));
  }

  @Test
  void aRoundInWhichNothingHappenedHasTheOwnerOfTheRoundBefore() {
    movedThere();

    assertThat(secondRound().violations()).isEmpty();
    assertThat(secondRound().source()).hasSize(2);
  }

  @Test
  void aSecondDeviceThatRunsIsSeen() {
    movedThere();
    state(here, 600, "NONE", "RUNNING");

    assertThat(secondRound().neverBothRunning())
        .hasValueSatisfying(it -> it.contains("from t=600"));
    assertThat(secondRound().exactlyOneRunsNow()).isPresent();
  }

  @Test
  void stateThatIsGivenAwayBeforeItIsLoadedIsSeen() {
    movedThere();
    state(there, 600, "RUNNING", "STOPNCOPY");
    state(there, 610, "STOPNCOPY", "SAVE_COMPLETED");

    assertThat(secondRound().neverDiscardedTooEarly()).isPresent();
  }

  @Test
  void aDeviceThatWasKilledDoesNotRunFromThenOn() {
    movedThere();
    deaths.add(RoundEvents.death(600, "node", "gpu", "state"));
    deaths.add(RoundEvents.death(600, "node", "gpu", "workload"));
    state(here, 700, "RESUME_COMPLETED", "RUNNING");
    workload(here, 701, "running");

    assertThat(secondRound().neverBothRunning()).isEmpty();
    assertThat(secondRound().exactlyOneRunsNow()).isEmpty();
  }
}
