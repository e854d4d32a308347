package dev.vfio.migration.sandbox.cluster.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.sandbox.cluster.Repository;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** No process outlives the sandbox, whichever way it ends. */
@Timeout(180)
class SupervisorTest {
  private static final Duration BOUND = Duration.ofSeconds(40);

  @TempDir Path work;

  @Test
  void closingEndsEveryProcessAndRemovesWhatLiesOutsideTheWorkFolder() throws Exception {
    Path sockets = Files.createTempDirectory(work, "sockets");
    RunningProcess sleeper;
    RunningProcess stubborn;
    try (Supervisor supervisor = open()) {
      supervisor.removeAtTheEnd(sockets);
      Files.createFile(sockets.resolve("gpu-0.sock"));
      sleeper = supervisor.start(shell("sleeper", "exec sleep 1000"));
      stubborn =
          supervisor.start(
              shell("stubborn", "trap '' TERM; echo READY; while :; do sleep 1000 & wait; done"));
      stubborn.awaitReady(Readiness.logLine(stubborn.log(), stubborn.logOffset(), "READY"), BOUND);
      assertThat(supervisor.running()).containsExactly(sleeper, stubborn);
    }

    assertThat(sleeper.alive()).isFalse();
    assertThat(stubborn.alive()).as("it ignores SIGTERM").isFalse();
    assertThat(sockets).doesNotExist();
    assertThat(table()).doesNotExist();
  }

  @Test
  void theGuardEndsEverythingWhenTheSupervisorIsKilled() throws Exception {
    Path sockets = Files.createTempDirectory(work, "sockets");
    Process supervisor =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                SupervisorToKill.class.getName(),
                work.toString(),
                sockets.toString())
            .redirectErrorStream(true)
            .redirectOutput(work.resolve("supervisor.log").toFile())
            .start();
    try {
      Path log = work.resolve("child.log");
      await()
          .atMost(BOUND)
          .until(() -> Files.exists(log) && Files.readString(log).startsWith("child "));
      long child = Long.parseLong(Files.readString(log).replaceAll("[^0-9]", ""));
      assertThat(ProcessHandle.of(child)).isPresent();
      // The child may speak before its supervisor has entered it in the table the guard reads.
      await()
          .atMost(BOUND)
          .until(() -> Files.readString(table()).contains("process " + child + " "));

      supervisor.destroyForcibly().waitFor();

      await().atMost(BOUND).until(() -> !runs(child));
      await().atMost(BOUND).until(() -> !Files.exists(table()) && !Files.exists(sockets));
    } finally {
      supervisor.destroyForcibly();
    }
  }

  @Test
  void whatIsLeftRunningRunsOnUntilTheNextSandboxEndsIt() throws Exception {
    Supervisor leaving = open();
    RunningProcess left = leaving.start(shell("left", "exec sleep 1000"));
    leaving.leaveRunning();
    leaving.close();
    assertThat(left.alive()).isTrue();
    assertThat(table()).content().contains("process " + left.pid() + " ").endsWith(" left\n");

    try (Supervisor next = open()) {
      assertThat(next.running()).isEmpty();
      assertThat(left.alive()).isFalse();
    }
  }

  @Test
  void aProcessThatOnlyHasTheSameNumberIsLeftAlone() throws Exception {
    Process stranger = new ProcessBuilder("sleep", "1000").start();
    try {
      long start = ProcessTable.startTicks(stranger.pid());
      Files.writeString(table(), "process %d %d agent\n".formatted(stranger.pid(), start - 1));

      open().close();

      assertThat(stranger.isAlive()).isTrue();
      assertThat(table()).doesNotExist();
    } finally {
      stranger.destroyForcibly();
    }
  }

  @Test
  void aProcessThatEndsBeforeItIsReadyIsReportedWithTheEndOfItsLog() throws Exception {
    try (Supervisor supervisor = open()) {
      RunningProcess process =
          supervisor.start(shell("operator", "echo 'no such address' >&2; exit 7"));

      assertThatThrownBy(() -> process.awaitReady(() -> false, BOUND))
          .isInstanceOf(ProcessException.class)
          .hasMessageContaining("operator ended with exit code 7 before it was ready")
          .hasMessageContaining("no such address")
          .hasMessageContaining(process.log().toString());
    }
  }

  @Test
  void aProcessThatIsNotReadyInTimeIsReported() throws Exception {
    try (Supervisor supervisor = open()) {
      RunningProcess process = supervisor.start(shell("agent", "exec sleep 1000"));

      assertThatThrownBy(() -> process.awaitReady(() -> false, Duration.ofMillis(50)))
          .isInstanceOf(ProcessException.class)
          .hasMessageContaining("agent was not ready within 0 s");
    }
  }

  @Test
  void aRestartIsNotReadyBecauseTheEarlierStartWas() throws Exception {
    try (Supervisor supervisor = open()) {
      RunningProcess first = supervisor.start(shell("device", "echo READY; exec sleep 1000"));
      first.awaitReady(Readiness.logLine(first.log(), first.logOffset(), "READY"), BOUND);
      first.kill();

      RunningProcess second = supervisor.start(shell("device", "exec sleep 1000"));
      assertThat(Readiness.logLine(second.log(), second.logOffset(), "READY").ready()).isFalse();
    }
  }

  private Supervisor open() throws IOException, InterruptedException {
    return Supervisor.open(table(), Repository.find().guardScript());
  }

  private Path table() {
    return work.resolve("processes");
  }

  private ProcessSpec shell(String name, String script) {
    return new ProcessSpec(
        name, List.of("sh", "-c", script), Map.of(), work, work.resolve(name + ".log"));
  }

  /** A zombie whose parent does not care about it no longer runs either. */
  private static boolean runs(long pid) throws IOException {
    Path stat = Path.of("/proc", Long.toString(pid), "stat");
    try {
      return Files.exists(stat) && !Files.readString(stat).contains(") Z ");
    } catch (IOException ended) {
      return false;
    }
  }

  /** Starts a process and waits to be killed. Arguments: work folder, folder to remove. */
  static final class SupervisorToKill {
    private SupervisorToKill() {}

    public static void main(String[] arguments) throws Exception {
      Path work = Path.of(arguments[0]);
      Supervisor supervisor =
          Supervisor.open(work.resolve("processes"), Repository.find().guardScript());
      supervisor.removeAtTheEnd(Path.of(arguments[1]));
      supervisor.start(
          new ProcessSpec(
              "child",
              List.of("sh", "-c", "echo child $$; exec sleep 1000"),
              Map.of(),
              work,
              work.resolve("child.log")));
      Thread.currentThread().join();
    }
  }
}
