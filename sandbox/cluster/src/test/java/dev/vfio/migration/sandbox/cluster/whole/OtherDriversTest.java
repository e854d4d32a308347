package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Drivers that read the text of 2018 in another way, and drivers whose success means nothing. */
@ExtendWith(WholeSystem.class)
@Timeout(120)
class OtherDriversTest {

  @ParameterizedTest
  @ValueSource(
      strings = {"stage-on-size", "halves-only", "estimate-nothing", "state-read-einval*1"})
  void aSourceThatReadsTheTextInAnotherWayMoves(String reading, TestCluster cluster)
      throws Exception {
    try (Scenario scenario = cluster.scenario("other-source").sourceFault(reading).begin()) {
      scenario.succeeded();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"stage-on-size", "state-read-einval*1"})
  void aDestinationThatReadsTheTextInAnotherWayIsMovedTo(String reading, TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("other-destination").destinationFault(reading).begin()) {
      scenario.succeeded();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"SETUP", "PRECOPY", "STOPNCOPY"})
  void aSourceThatOnlySaysThatItChangedRunsOn(String state, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("idle-source").sourceFault("ignore-transition=" + state).begin()) {
      scenario.failed("TransitionFailed", state, "with success", "node-a", scenario.name());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"RESUME", "RESUME_COMPLETED"})
  void aDestinationThatOnlySaysThatItLoadedNeverRuns(String state, TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("idle-destination")
            .destinationFault("ignore-transition=" + state)
            .begin()) {
      scenario.failed("TransitionFailed", state, "with success", "node-b", scenario.name());
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
    }
  }

  @Test
  void aDestinationThatOnlySaysThatItRunsIsNotTakenForRunning(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("idle-running").destinationFault("ignore-transition=RUNNING").begin()) {
      scenario.awaitPhase("ActionRequired");
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();
      assertThat(scenario.pair().evidence().neverDiscardedTooEarly()).isEmpty();

      scenario.pair().destination().console().clearFaults();
      scenario.succeeded();
    }
  }
}
