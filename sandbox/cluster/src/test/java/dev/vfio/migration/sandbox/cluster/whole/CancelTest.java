package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Before the handover a migration can be cancelled at any time, and the source runs on. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class CancelTest {

  /** The source's state at the moment of the cancel. */
  enum Moment {
    SETUP,
    PRECOPY,
    STOPNCOPY;

    /**
     * Sees to it that the state lasts until the operator knows of the cancel, and that what comes
     * after it is not the pause.
     */
    Scenario prolonged(Scenario scenario) {
      return switch (this) {
        case SETUP -> scenario.sourceFault("stall=PRECOPY:1500").manual();
        case PRECOPY -> scenario.manual();
        case STOPNCOPY -> scenario.destinationFault("stall=RESUME_COMPLETED:5000");
      };
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCancelByFieldLeavesTheSourceRunning(Moment moment, TestCluster cluster) throws Exception {
    String name = "cancel-" + moment.name().toLowerCase(java.util.Locale.ROOT);
    try (Scenario scenario = moment.prolonged(cluster.scenario(name)).begin()) {
      scenario.awaitSourceState(moment.name()).cancel().cancelled();

      assertThat(scenario.states(scenario.pair().source()))
          .contains("CANCELLED")
          .endsWith("RUNNING");
      if (moment != Moment.STOPNCOPY) {
        scenario.neverPaused();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aDeletionLeavesTheSourceRunning(Moment moment, TestCluster cluster) throws Exception {
    String name = "delete-" + moment.name().toLowerCase(java.util.Locale.ROOT);
    try (Scenario scenario = moment.prolonged(cluster.scenario(name)).begin()) {
      scenario.awaitSourceState(moment.name()).delete().awaitDeleted();

      scenario.runsOnAt(scenario.pair().source());
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
    }
  }
}
