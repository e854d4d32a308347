package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An agent that is killed at any moment, and comes back or does not, never costs a step, a byte or
 * the ownership of the device.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class AgentCrashTest {

  /** When the agent is killed, and how the migration is held there. */
  enum Moment {
    PREPARING {
      @Override
      Scenario hold(Scenario scenario, int millis) {
        return scenario.sourceFault("stall=SETUP:" + millis);
      }

      @Override
      void await(Scenario scenario) {
        scenario.awaitFault(true);
      }
    },
    PRECOPY {
      @Override
      Scenario hold(Scenario scenario, int millis) {
        return scenario.manual();
      }

      @Override
      void await(Scenario scenario) {
        scenario.awaitSourceState("PRECOPY");
      }
    },
    STOPNCOPY {
      @Override
      Scenario hold(Scenario scenario, int millis) {
        return scenario.destinationFault("stall=RESUME_COMPLETED:" + millis);
      }

      @Override
      void await(Scenario scenario) {
        scenario.awaitSourceState("STOPNCOPY").awaitFault(false);
      }
    },
    COMMITTED {
      @Override
      Scenario hold(Scenario scenario, int millis) {
        return scenario.destinationFault("stall=RUNNING:" + millis);
      }

      @Override
      void await(Scenario scenario) {
        scenario.awaitFault(false);
      }
    };

    /**
     * @param millis that the moment lasts, where it does not last until the test ends it
     */
    abstract Scenario hold(Scenario scenario, int millis);

    abstract void await(Scenario scenario);
  }

  static Stream<Arguments> everyMomentAtBothSides() {
    return Stream.of(Moment.values())
        .flatMap(
            moment ->
                Stream.of(
                    Arguments.of(moment, SOURCE_NODE), Arguments.of(moment, DESTINATION_NODE)));
  }

  @ParameterizedTest
  @MethodSource("everyMomentAtBothSides")
  void anAgentThatComesBackLosesNothing(Moment moment, String node, TestCluster cluster)
      throws Exception {
    try (Scenario scenario = moment.hold(cluster.scenario("killed"), 2500).begin()) {
      moment.await(scenario);
      cluster.killAgent(node);
      cluster.restartAgent(node);
      if (moment == Moment.PRECOPY) {
        scenario.switchOver();
      }

      scenario.endedSafely();
      if (moment == Moment.COMMITTED) {
        assertThat(scenario.view().phase()).isEqualTo("Succeeded");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("everyMomentAtBothSides")
  void anAgentThatStaysAwayHoldsNothingBackForGood(Moment moment, String node, TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        moment
            // The agent must have ended before the moment does: the next moment is another case.
            .hold(cluster.scenario("away"), 5000)
            .spec("timeouts", Map.of("agentUnavailable", "2s", "rollingBack", "3s"))
            .begin()) {
      moment.await(scenario);
      cluster.killAgent(node);
      if (moment == Moment.COMMITTED) {
        scenario.awaitTrue(
            () -> scenario.object().at("/status/handover").asText().equals("Committed"));
      } else {
        scenario.awaitTrue(
            () -> scenario.object().at("/status/handover").asText().equals("RolledBack"));
      }
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();

      cluster.restartAgent(node);
      scenario.endedSafely();
    }
  }

  /** The operator stands still, so that the agents are killed between LOADED and the decision. */
  @ParameterizedTest
  @MethodSource("bothSides")
  void afterLoadingAndBeforeTheDecision(String node, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("loaded")
            .destinationFault("stall=RESUME_COMPLETED:1000")
            .begin()
            .awaitFault(false)) {
      cluster.cluster().operator().suspend();
      try {
        scenario.awaitDestinationState("RESUME_COMPLETED");
        cluster.killAgent(node);
        cluster.restartAgent(node);
      } finally {
        cluster.cluster().operator().proceed();
      }

      scenario.endedSafely();
    }
  }

  static Stream<String> bothSides() {
    return Stream.of(SOURCE_NODE, DESTINATION_NODE);
  }
}
