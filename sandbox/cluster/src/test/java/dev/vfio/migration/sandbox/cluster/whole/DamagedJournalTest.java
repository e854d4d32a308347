package dev.vfio.migration.sandbox.cluster.whole;

import static dev.vfio.migration.sandbox.cluster.SandboxCluster.DESTINATION_NODE;
import static dev.vfio.migration.sandbox.cluster.SandboxCluster.SOURCE_NODE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** An agent that is killed, and whose journal has lost its last entry when it comes back. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class DamagedJournalTest {
  private static final int HEAD_BYTES = 24;
  private static final int ENTRY_HEADER_BYTES = 8;

  /** How the last entry was lost. */
  enum Loss {
    BIT_FLIPPED,
    LAST_ENTRY_MISSING;

    byte[] of(byte[] journal) {
      return switch (this) {
        case BIT_FLIPPED -> {
          byte[] flipped = journal.clone();
          flipped[journal.length - 4] ^= 1;
          yield flipped;
        }
        case LAST_ENTRY_MISSING -> {
          int last = HEAD_BYTES;
          int next = last;
          while (next < journal.length) {
            last = next;
            next += ENTRY_HEADER_BYTES + ByteBuffer.wrap(journal).getInt(next);
          }
          yield Arrays.copyOf(journal, last);
        }
      };
    }
  }

  private static void damage(Scenario scenario, TestCluster cluster, String node, Loss loss)
      throws IOException {
    String uid = scenario.object().at("/metadata/uid").asText();
    String role = node.equals(SOURCE_NODE) ? "source" : "destination";
    Path file = cluster.cluster().node(node).journal().resolve(uid + ".1." + role + ".journal");
    Files.write(file, loss.of(Files.readAllBytes(file)));
  }

  static Stream<Arguments> everyLossAtBothSides() {
    return Stream.of(Loss.values())
        .flatMap(
            loss ->
                Stream.of(Arguments.of(loss, SOURCE_NODE), Arguments.of(loss, DESTINATION_NODE)));
  }

  @ParameterizedTest
  @MethodSource("everyLossAtBothSides")
  void beforeTheDecisionTheSourceRunsOnByTheDecisionAlone(
      Loss loss, String node, TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("damaged").beginToLoad()) {
      cluster.whileOperatorStandsStill(
          () -> {
            scenario.awaitDestinationState("RESUME_COMPLETED");
            scenario.awaitJournalled(DESTINATION_NODE, "Loaded");
            cluster.killAgent(node);
            damage(scenario, cluster, node, loss);
            cluster.restartAgent(node);
            assertThat(scenario.states(scenario.pair().source())).endsWith("STOPNCOPY");
            assertThat(scenario.states(scenario.pair().destination())).endsWith("RESUME_COMPLETED");
          });

      scenario.endedSafely();
    }
  }

  /** What let both devices run while the status said Succeeded. */
  @ParameterizedTest
  @EnumSource
  void afterTheDecisionTheSourceNeverRunsAgain(Loss loss, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("committed")
            .destinationFault("stall=RUNNING:3000")
            .begin()
            .awaitFault(false)) {
      cluster.killAgent(SOURCE_NODE);
      damage(scenario, cluster, SOURCE_NODE, loss);
      cluster.restartAgent(SOURCE_NODE);

      scenario.succeeded();
      scenario.awaitSourceState("SAVE_COMPLETED");
      assertThat(scenario.states(scenario.pair().source())).doesNotContain("FAILED", "CANCELLED");
    }
  }
}
