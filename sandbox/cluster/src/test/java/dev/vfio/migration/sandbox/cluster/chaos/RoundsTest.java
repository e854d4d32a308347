package dev.vfio.migration.sandbox.cluster.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.OutcomeTable;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Some rounds on real processes, so that the program that runs hundreds is known to work. */
@Timeout(600)
class RoundsTest {
  private static final String FORK = System.getProperty("fork", "1");

  @Test
  void aRoundBeforeAndARoundAfterTheDecisionAndOneThatCostsTheDeviceKeepTheRules()
      throws Exception {
    List<RoundPlan<Point, Part>> plans =
        List.of(
            new RoundPlan<>(1, 1, Point.PRE_COPY, kill(Part.SOURCE_AGENT)),
            new RoundPlan<>(2, 2, Point.COMMITTED, kill(Part.DESTINATION_AGENT)),
            new RoundPlan<>(3, 3, Point.LOADING, kill(Part.DESTINATION_DEVICE)));
    Path work =
        Files.createDirectories(
            Repository.find().root().resolve("sandbox/cluster/target/rounds-" + FORK));
    List<String> said = new ArrayList<>();

    OutcomeTable<Point, Part> table = new Rounds(work, Operators.ONE, said::add).run(plans);

    assertThat(table.result())
        .as(String.join("\n", said))
        .isEqualTo("rounds=3 violations=0 committed=1 rolledBack=2 waiting=0");
    assertThat(said).hasSize(3).allMatch(line -> line.endsWith(" ok"));
    assertThat(said.get(1)).contains("phase_at_end=Succeeded", "owner=destination");
    assertThat(said.get(2)).contains("phase_at_end=Failed", "owner=source");
    assertThat(table.markdown()).contains("| kill |", "| PreCopy |");
  }

  private static List<Blow<Part>> kill(Part part) {
    return List.of(new Blow<>(part, Fault.KILL));
  }
}
