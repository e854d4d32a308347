package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device that refuses a state costs the migration, never the workload. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class FailingTransitionTest {

  @ParameterizedTest
  @ValueSource(strings = {"SETUP", "PRECOPY", "STOPNCOPY"})
  void theSourceRefuses(String state, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("source-refuses").sourceFault("fail-transition=" + state + ":5").begin()) {
      scenario.failed("TransitionFailed", state, "node-a", scenario.name());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"RESUME", "RESUME_COMPLETED"})
  void theDestinationRefuses(String state, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("destination-refuses")
            .destinationFault("fail-transition=" + state + ":5")
            .begin()) {
      scenario.failed("TransitionFailed", state, "node-b", scenario.name());
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
    }
  }

  @Test
  void afterTheHandoverADestinationThatDoesNotRunWaitsForAPerson(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("stranded").destinationFault("fail-transition=RUNNING:5").begin()) {
      scenario.awaitPhase("ActionRequired");
      assertThat(scenario.view().condition("HandedOver"))
          .get()
          .matches(condition -> condition.status().equals("True"));
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();
      assertThat(scenario.pair().evidence().neverDiscardedTooEarly()).isEmpty();

      scenario.pair().destination().console().clearFaults();
      scenario.succeeded();
    }
  }

  @Test
  void aSourceThatCannotCleanUpDoesNotHoldUpTheDestination(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("unclean").sourceFault("fail-transition=SAVE_COMPLETED:5*2").begin()) {
      scenario.awaitDestinationState("RUNNING");
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();

      scenario.succeeded();
    }
  }
}
