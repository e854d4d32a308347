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
  void the_source_refuses(String state, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("source-refuses").sourceFault("fail-transition=" + state + ":5").begin()) {
      scenario.failed("TransitionFailed", state, "node-a", scenario.name());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"RESUME", "RESUME_COMPLETED"})
  void the_destination_refuses(String state, TestCluster cluster) throws Exception {
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
  void after_the_handover_a_destination_that_does_not_run_waits_for_a_person(TestCluster cluster)
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
  void a_source_that_cannot_clean_up_does_not_hold_up_the_destination(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("unclean").sourceFault("fail-transition=SAVE_COMPLETED:5*2").begin()) {
      scenario.awaitDestinationState("RUNNING");
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();

      scenario.succeeded();
    }
  }
}
