package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A migration moves the device with every step, byte and page, in each of its modes. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class EndingsTest {

  @Test
  void aLiveMigrationPausesOnlyForTheRest(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("live").begin()) {
      // The source cleans up after the destination was seen to run.
      scenario.succeeded().awaitSourceState("SAVE_COMPLETED");

      assertThat(scenario.states(scenario.pair().source()))
          .containsSubsequence("SETUP", "PRECOPY", "STOPNCOPY", "SAVE_COMPLETED");
      assertThat(scenario.states(scenario.pair().destination()))
          .as("reset before it takes anything in")
          .containsExactly("NONE", "RESUME", "RESUME_COMPLETED", "RUNNING");
      assertThat(scenario.view().transferredBytes()).isGreaterThanOrEqualTo(5L << 20);
    }
  }

  @Test
  void aColdMigrationCopiesEverythingInThePause(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("cold").cold().begin()) {
      scenario.succeeded();

      assertThat(scenario.states(scenario.pair().source())).doesNotContain("PRECOPY");
    }
  }

  @Test
  void aManualSwitchoverWaitsForAPerson(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("manual").manual().begin()) {
      scenario.awaitCondition("Converged", "True", "WaitingForSwitchover").neverPaused();
      assertThat(scenario.view().phase()).isEqualTo("PreCopy");

      scenario.switchOver().succeeded();
    }
  }

  @Test
  void severalStreamsCarryOneState(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("streams")
            .devices(shape -> shape.withState(32L << 20, 4L << 20).withMemory(8L << 20, 1L << 20))
            .spec("transfer", Map.of("streams", 4))
            .begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void aDeviceWithoutDirtyPageLogHasItsMemorySentInThePause(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("no-log").devices(shape -> shape.withFault("dirty-log-refused")).begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void aDeviceWhoseStateCannotBeReadBackMovesAsWell(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("no-read")
            .devices(shape -> shape.withFault("state-read-einval"))
            .begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void aDeviceWithoutMmapAndWithoutMemoryMovesAsWell(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("trapped")
            .devices(shape -> shape.withMemory(0, 0).withOption("--mmap", "off"))
            .begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void aFinishedMigrationIsDeletedAfterItsTimeToLive(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("ttl").spec("ttlSecondsAfterFinished", 1).begin()) {
      scenario.awaitDeleted().runsOnAt(scenario.pair().destination());
    }
  }
}
