package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.process.ProcessSpec;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --keep} leaves running is ended by each command that says that it ends it. */
class LabStopTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  @TempDir Path work;

  private int run(String... command) throws Exception {
    ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
    builder.environment().put("LAB_WORK", work.toString());
    Process process = builder.start();
    assertThat(process.waitFor(BOUND.toSeconds(), TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"sandbox/kernel-lab --stop", "sandbox/lab/guests/machines stop"})
  void theLabsOperatorAndApiServerEndWithItsGuests(String command) throws Exception {
    Path root = Repository.find().root();
    Path table = work.resolve("processes");
    Supervisor leaving = Supervisor.open(table, Repository.find().guardScript());
    RunningProcess left =
        leaving.start(
            new ProcessSpec(
                "operator",
                List.of("sleep", "1000"),
                Map.of(),
                work,
                work.resolve("operator.log")));
    try {
      leaving.leaveRunning();
      String[] words = command.split(" ");
      assertThat(run(root.resolve(words[0]).toString(), words[1])).isZero();
      await().atMost(BOUND).until(() -> !left.alive());
      assertThat(table).doesNotExist();
    } finally {
      left.terminate();
    }
  }

  @Test
  void whereNothingRunsThereIsNothingToEnd() throws Exception {
    assertThat(run(Repository.find().root().resolve("sandbox/kernel-lab").toString(), "--stop"))
        .isZero();
  }
}
