package dev.vfio.migration.operator.record;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** docs/status.md lists every phase, condition, reason and event, with the words of the code. */
class StatusDocumentTest {

  @Test
  void everyWordOfTheStatusIsExplained() throws IOException {
    String document = Files.readString(Path.of("..", "docs", "status.md"));
    List<String> missing =
        Stream.of(
                Arrays.stream(Phase.values())
                    .map(
                        phase ->
                            row(
                                phase.text(),
                                phase.terminal() ? "yes" : "no",
                                phase.description())),
                Arrays.stream(ConditionType.values())
                    .map(type -> row(type.text(), type.description())),
                Arrays.stream(ConditionReason.values())
                    .map(reason -> row(reason.text(), reason.description())),
                Arrays.stream(EventReason.values())
                    .map(
                        event ->
                            row(
                                event.text(),
                                event.warning() ? "Warning" : "Normal",
                                event.description())))
            .flatMap(rows -> rows)
            .filter(row -> !document.contains(row))
            .toList();
    assertThat(missing).as("rows that docs/status.md lacks").isEmpty();
  }

  private static String row(String... cells) {
    return "| " + String.join(" | ", cells) + " |";
  }
}
