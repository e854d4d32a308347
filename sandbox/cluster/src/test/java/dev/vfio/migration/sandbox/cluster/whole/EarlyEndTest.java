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
  void isRolledBackWhereTheDriverLooksBeforeTheDecision(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("half").sourceFault(ENDS_EARLY).begin()) {
      scenario.failed("TransitionFailed", "RESUME_COMPLETED", "node-b", scenario.name());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
      assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
    }
  }

  @Test
  void isNoSuccessWhereTheDriverLooksOnlyWhenItIsToRun(TestCluster cluster) throws Exception {
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
  void aDeviceThatHandsOutNothingStaysWhereItIs(TestCluster cluster) throws Exception {
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
