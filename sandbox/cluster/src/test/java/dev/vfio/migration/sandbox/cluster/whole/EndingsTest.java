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
  void a_live_migration_pauses_only_for_the_rest(TestCluster cluster) throws Exception {
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
  void a_cold_migration_copies_everything_in_the_pause(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("cold").cold().begin()) {
      scenario.succeeded();

      assertThat(scenario.states(scenario.pair().source())).doesNotContain("PRECOPY");
    }
  }

  @Test
  void a_manual_switchover_waits_for_a_person(TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("manual").manual().begin()) {
      scenario.awaitCondition("Converged", "True", "WaitingForSwitchover").neverPaused();
      assertThat(scenario.view().phase()).isEqualTo("PreCopy");

      scenario.switchOver().succeeded();
    }
  }

  @Test
  void several_streams_carry_one_state(TestCluster cluster) throws Exception {
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
  void a_device_without_dirty_page_log_has_its_memory_sent_in_the_pause(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("no-log").devices(shape -> shape.withFault("dirty-log-refused")).begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void a_device_whose_state_cannot_be_read_back_moves_as_well(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("no-read")
            .devices(shape -> shape.withFault("state-read-einval"))
            .begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void a_device_without_mmap_and_without_memory_moves_as_well(TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("trapped")
            .devices(shape -> shape.withMemory(0, 0).withOption("--mmap", "off"))
            .begin()) {
      scenario.succeeded();
    }
  }

  @Test
  void a_finished_migration_is_deleted_after_its_time_to_live(TestCluster cluster)
      throws Exception {
    try (Scenario scenario = cluster.scenario("ttl").spec("ttlSecondsAfterFinished", 1).begin()) {
      scenario.awaitGone().runsOnAt(scenario.pair().destination());
    }
  }
}
