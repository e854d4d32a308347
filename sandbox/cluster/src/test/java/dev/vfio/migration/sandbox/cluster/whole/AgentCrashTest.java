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

  /** When the agent is killed. */
  enum Moment {
    PREPARING,
    PRECOPY,
    STOPNCOPY,
    COMMITTED;

    /**
     * Holds the migration there.
     *
     * @param millis that the moment lasts, where it does not last until the test ends it
     */
    Scenario hold(Scenario scenario, int millis) {
      return switch (this) {
        case PREPARING -> scenario.sourceFault("stall=SETUP:" + millis);
        case PRECOPY -> scenario.manual();
        case STOPNCOPY -> scenario.destinationFault("stall=RESUME_COMPLETED:" + millis);
        case COMMITTED -> scenario.destinationFault("stall=RUNNING:" + millis);
      };
    }

    Scenario await(Scenario scenario) {
      return switch (this) {
        case PREPARING -> scenario.awaitFault(true);
        case PRECOPY -> scenario.awaitSourceState("PRECOPY");
        case STOPNCOPY -> scenario.awaitSourceState("STOPNCOPY").awaitFault(false);
        case COMMITTED -> scenario.awaitFault(false);
      };
    }
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
      String decision = moment == Moment.COMMITTED ? "Committed" : "RolledBack";
      scenario.awaitTrue(() -> scenario.object().at("/status/handover").asText().equals(decision));
      assertThat(scenario.pair().evidence().neverBothRunning()).isEmpty();

      cluster.restartAgent(node);
      scenario.endedSafely();
    }
  }

  @ParameterizedTest
  @MethodSource("bothSides")
  void afterLoadingAndBeforeTheDecision(String node, TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("loaded").beginToLoad()) {
      cluster.whileOperatorStandsStill(
          () -> {
            scenario.awaitDestinationState("RESUME_COMPLETED");
            cluster.killAgent(node);
            cluster.restartAgent(node);
          });

      scenario.endedSafely();
    }
  }

  static Stream<String> bothSides() {
    return Stream.of(SOURCE_NODE, DESTINATION_NODE);
  }
}
