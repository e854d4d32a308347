package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A source's driver that says too early that this was all. Both ends then move, count and digest
 * the same half, so that only the destination's driver can know.
 */
@ExtendWith(WholeSystem.class)
@Timeout(120)
class EarlyEndTest {
  private static final String ENDS_EARLY = "end-early=STOPNCOPY@65536";

  @Test
  void is_rolled_back_where_the_driver_looks_before_the_decision(TestCluster cluster)
      throws Exception {
    try (Scenario scenario = cluster.scenario("half").sourceFault(ENDS_EARLY).begin()) {
      scenario.failed("TransitionFailed", "RESUME_COMPLETED", "node-b", scenario.name());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
    }
  }

  @Test
  void is_no_success_where_the_driver_looks_only_when_it_is_to_run(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("half-late")
            .sourceFault(ENDS_EARLY)
            .destinationFault("check-late")
            .begin()) {
      scenario.awaitPhase("ActionRequired");

      assertThat(scenario.view().condition("Succeeded").orElseThrow().message())
          .contains("would not run", "node-b", "The source stays paused with its copy");
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
      assertThat(scenario.states(scenario.pair().source())).endsWith("STOPNCOPY");
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();
      assertThat(scenario.pair().evidence().neverDiscardedTooEarly()).isEmpty();
    }
  }

  @Test
  void a_device_that_hands_out_nothing_stays_where_it_is(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("nothing")
            .cold()
            .sourceFault("end-early=STOPNCOPY@0")
            .destinationFault("check-late")
            .begin()) {
      scenario.failed("DeviceReadFailed", "no state at all", "node-a", scenario.name());
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
    }
  }
}
