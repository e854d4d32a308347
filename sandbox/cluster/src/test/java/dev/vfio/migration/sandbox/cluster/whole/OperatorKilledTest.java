package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An operator that is killed in any phase goes on from what the object says. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class OperatorKilledTest {

  /** The phase in which the operator is killed, and what holds the migration there. */
  enum Moment {
    PREPARING("stall=SETUP:1500", ""),
    PRECOPY("", ""),
    SWITCHING_OVER("", "stall=RESUME_COMPLETED:1500"),
    COMMITTED("", "stall=RUNNING:1500"),
    CLEANING_UP("stall=SAVE_COMPLETED:1500", "");

    private final String sourceFault;
    private final String destinationFault;

    Moment(String sourceFault, String destinationFault) {
      this.sourceFault = sourceFault;
      this.destinationFault = destinationFault;
    }
  }

  @ParameterizedTest
  @EnumSource
  void theMigrationGoesOn(Moment moment, TestCluster cluster) throws Exception {
    Scenario scenario = cluster.scenario("operator");
    if (moment == Moment.PRECOPY) {
      scenario.manual();
    }
    if (!moment.sourceFault.isEmpty()) {
      scenario.sourceFault(moment.sourceFault);
    }
    if (!moment.destinationFault.isEmpty()) {
      scenario.destinationFault(moment.destinationFault);
    }
    try (scenario) {
      scenario.begin();
      if (moment == Moment.PRECOPY) {
        scenario.awaitSourceState("PRECOPY");
      } else {
        scenario.awaitFault(!moment.sourceFault.isEmpty());
      }
      cluster.killOperator();
      cluster.restartOperator();
      if (moment == Moment.PRECOPY) {
        scenario.switchOver();
      }

      scenario.succeeded();
    }
  }

  @Test
  void aCancelThatNobodySawIsCarriedOutByTheNextOperator(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("unseen").manual().begin().awaitSourceState("PRECOPY")) {
      cluster.killOperator();
      scenario.cancel();
      cluster.restartOperator();

      scenario.cancelled().neverPaused();
    }
  }

  @Test
  void aRollbackGoesOn(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("rollback")
            .manual()
            .sourceFault("stall=CANCELLED:1500")
            .begin()
            .awaitSourceState("PRECOPY")) {
      scenario.cancel().awaitFault(true);
      cluster.killOperator();
      cluster.restartOperator();

      scenario.cancelled();
      assertThat(scenario.states(scenario.pair().source())).endsWith("RUNNING");
    }
  }
}
