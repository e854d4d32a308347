package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * What a tenant leaves in a device. The devices here keep their state when they are closed, as some
 * drivers do: nothing but a reset takes it out of them.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class LeftBehindTest {

  @Test
  void whatMovedAwayIsNotLeftAtTheSource(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("left").begin().succeeded()) {
      scenario.awaitCondition("Succeeded", "True", "Completed");

      assertThat(scenario.states(scenario.pair().source()))
          .containsSubsequence("SAVE_COMPLETED", "NONE")
          .endsWith("NONE");
      assertThat(scenario.pair().source().console().status().path("workload").asText())
          .as("its workload waits for another device to come")
          .isEqualTo("waiting");
      scenario.runsOnAt(scenario.pair().destination());
    }
  }

  @Test
  void aWorkloadMovesThereAndBack(TestCluster cluster) throws Exception {
    try (Scenario there = cluster.scenario("there").begin().succeeded()) {
      there.awaitCondition("Succeeded", "True", "Completed");
      try (Scenario back = there.back("back").apply()) {
        back.awaitPhase("Succeeded").runsOnAt(there.pair().source());
        back.awaitCondition("Succeeded", "True", "Completed");
        assertThat(there.states(there.pair().destination())).endsWith("NONE");
      }
    }
  }

  @Test
  void aSourceThatCannotBeResetIsToldToAPersonAndTakesNothingInBeforeItIs(TestCluster cluster)
      throws Exception {
    try (Scenario there = cluster.scenario("no-reset").sourceFault("no-reset").begin()) {
      there.succeeded().awaitCondition("SourceReady", "False", "ResetFailed");
      assertThat(there.view().condition("Succeeded").orElseThrow().message())
          .contains("To be done: reset", there.name(), "SourceReady says");
      assertThat(there.view().condition("SourceReady").orElseThrow().message())
          .contains(there.name(), "restart its server");
      try (Scenario back = there.back("refused").apply()) {
        back.awaitPhase("Failed");
        MigrationView.Condition refused = back.view().condition("Validated").orElseThrow();
        assertThat(refused.reason()).isEqualTo("DeviceNotReset");
        assertThat(refused.message())
            .contains("SAVE_COMPLETED", "Reset it first", "restart its server", "Nothing was");
        there.runsOnAt(there.pair().destination());
      }
    }
  }

  /** The agent ends in the middle of the clean-up and comes back. */
  @Test
  void aSourceAgentThatIsKilledWhileItCleansUpResetsTheDeviceAllTheSame(TestCluster cluster)
      throws Exception {
    try (Scenario there =
        cluster.scenario("killed").sourceFault("stall=SAVE_COMPLETED:1500").begin()) {
      there.awaitFault(true);
      cluster.killAgent(SandboxCluster.SOURCE_NODE);
      cluster.restartAgent(SandboxCluster.SOURCE_NODE);
      there.succeeded().awaitCondition("Succeeded", "True", "Completed");
      assertThat(there.states(there.pair().source())).endsWith("NONE");
    }
  }

  @Test
  void aResetThatFailsIsTriedAgainUntilItHelps(TestCluster cluster) throws Exception {
    try (Scenario there = cluster.scenario("again").sourceFault("fail-reset:5*2").begin()) {
      there.succeeded().awaitCondition("Succeeded", "True", "Completed");
      assertThat(there.view().condition("SourceReady").orElseThrow().reason())
          .isEqualTo("Released");
      assertThat(there.states(there.pair().source())).endsWith("NONE");
    }
  }

  @Test
  void aResetThatDoesNotHelpIsNotBelieved(TestCluster cluster) throws Exception {
    try (Scenario there = cluster.scenario("lies").sourceFault("reset-keeps-state").begin()) {
      there.succeeded().awaitCondition("SourceReady", "False", "ResetFailed");
      there.runsOnAt(there.pair().destination());
    }
  }
}
