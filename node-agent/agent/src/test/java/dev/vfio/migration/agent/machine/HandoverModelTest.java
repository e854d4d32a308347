package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The model of the handover, docs/model/handover.pml, which sandbox/model checks, does what the
 * machines do: no more, or it would show faults that are none, and no less, or what it shows of H1
 * to H3 would not hold for the machines.
 */
@Timeout(300)
class HandoverModelTest {
  private final HandoverModel model = new HandoverModel();

  HandoverModelTest() throws IOException {}

  @Test
  void theModelsSourceDoesWhatItsMachineDoes() {
    compare("src", new SourceSearch());
  }

  @Test
  void theModelsDestinationDoesWhatItsMachineDoes() {
    compare("dst", new DestinationSearch());
  }

  private void compare(String side, SessionSearch<?, ?, ?> search) {
    search.run();
    Map<String, String> differences = new TreeMap<>();
    differ(differences, "GO", model.moves(side), search.moves);
    differ(differences, "JOURNAL", model.entries(side), search.entries);
    differ(differences, "REPLAY", model.replays(side), search.replays);
    differ(differences, "DAMAGED", model.damaged(side), search.damaged);
    // What a session does by itself it may as well be told; what it has to be told it never does
    // by itself.
    model
        .causes(side)
        .forEach(
            (pair, causes) -> {
              if (!causes.contains("itself") && !causes.equals(search.causes.get(pair))) {
                differences.put(
                    "TOLD " + pair,
                    "by " + causes + ", and the machine by " + search.causes.get(pair));
              }
            });
    assertThat(differences).isEmpty();
  }

  private static void differ(
      Map<String, String> differences, String table, Set<String> model, Map<String, String> done) {
    for (String pair : model) {
      if (!done.containsKey(pair)) {
        differences.put(table + " " + pair, "in the model, and the machine never does it");
      }
    }
    done.forEach(
        (pair, way) -> {
          if (!model.contains(pair)) {
            differences.put(
                table + " " + pair, "not in the model, and the machine does it: " + way);
          }
        });
  }
}
