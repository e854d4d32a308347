package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.user.DeviceFolder;
import dev.vfio.migration.vfio.user.DeviceSockets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What was loaded into the memory of one process is taken by that process alone, also where the
 * agent was restarted and another process has come meanwhile.
 */
@Timeout(120)
class ReceiverAfterRestartTest {
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final String MIGRATION = "uid/1";
  private static final String ONE_WINDOW =
      "[{\"name\":\"ring\",\"iova\":0,\"size\":4096,\"path\":\"/dev/shm/ring\"}]";

  @TempDir Path folder;
  private Path socket;

  @BeforeEach
  void makeFolder() throws IOException {
    socket = DeviceFolder.make(folder, "gpu-0").resolve("workload.sock");
  }

  /** The workload as an agent that was just started reaches it; its disk stays. */
  private WorkloadSocket anAgents() {
    return new WorkloadSocket(
        new DeviceSockets(folder).workload("gpu-0"),
        4096,
        LONG,
        new WindowDirectories(List.of(folder), "gpu-0"),
        new ReceiverFile(folder.resolve("loaded-for/gpu-0.json"), new Processes(Path.of("/proc"))));
  }

  /** An agent that loads everything for a process, which then ends. */
  private long loadedForOneThatEnded(String windows) throws Exception {
    long pid;
    try (ListeningProgram program = new ListeningProgram(socket, windows);
        WorkloadSocket agent = anAgents()) {
      pid = program.pid();
      agent.deliver(MIGRATION);
      agent.requireReadyToTake(MIGRATION);
    }
    Files.delete(socket);
    return pid;
  }

  private static void refusesAsEnded(ThrowingCallable call, long before, long now) {
    WorkloadException failure = catchThrowableOfType(WorkloadException.class, call);
    assertThat(failure).as("refused").isNotNull();
    assertThat(failure.errno()).as("ESRCH").isEqualTo(3);
    assertThat(failure)
        .hasMessageContaining("is process " + now + " now and was process " + before);
  }

  @Test
  void oneThatCameWhileTheAgentWasAwayCountsAsNotReady() throws Exception {
    long before = loadedForOneThatEnded("[]");
    try (ListeningProgram other = new ListeningProgram(socket);
        WorkloadSocket agent = anAgents()) {
      refusesAsEnded(() -> agent.requireReadyToTake(MIGRATION), before, other.pid());
    }
  }

  @Test
  void oneThatHasNotTheMemoryIsNotToldToTakeTheDevice() throws Exception {
    long before = loadedForOneThatEnded(ONE_WINDOW);
    try (ListeningProgram other = new ListeningProgram(socket, ONE_WINDOW);
        WorkloadSocket agent = anAgents()) {
      refusesAsEnded(() -> agent.take(MIGRATION), before, other.pid());
    }
  }

  @Test
  void whereThereIsNoMemoryAnotherOneTakesTheDevice() throws Exception {
    loadedForOneThatEnded("[]");
    try (ListeningProgram other = new ListeningProgram(socket);
        WorkloadSocket agent = anAgents()) {
      agent.take(MIGRATION);
      assertThat(other.pid()).isPositive();
    }
  }

  @Test
  void theSameProcessTakesItAfterAnyNumberOfRestarts() throws Exception {
    try (ListeningProgram program = new ListeningProgram(socket, ONE_WINDOW)) {
      try (WorkloadSocket agent = anAgents()) {
        agent.deliver(MIGRATION);
      }
      try (WorkloadSocket agent = anAgents()) {
        agent.requireReadyToTake(MIGRATION);
      }
      try (WorkloadSocket agent = anAgents()) {
        agent.take(MIGRATION);
      }
      assertThat(program.pid()).isPositive();
    }
  }

  @Test
  void anotherMigrationIsNoneOfItsBusiness() throws Exception {
    loadedForOneThatEnded(ONE_WINDOW);
    try (ListeningProgram other = new ListeningProgram(socket, ONE_WINDOW);
        WorkloadSocket agent = anAgents()) {
      agent.deliver("uid/2");
      agent.take("uid/2");
      assertThat(other.pid()).isPositive();
    }
  }

  @Test
  void aDamagedNoteIsNotTheSameAsNone() throws Exception {
    try (ListeningProgram program = new ListeningProgram(socket, ONE_WINDOW);
        WorkloadSocket agent = anAgents()) {
      agent.deliver(MIGRATION);
      Path note = folder.resolve("loaded-for/gpu-0.json");
      Files.writeString(note, Files.readString(note).replace("uid", "uie"));
      assertThatThrownBy(() -> agent.take(MIGRATION))
          .hasMessageContaining(note + ", which says for which process the device was loaded")
          .hasMessageContaining("is damaged");
      assertThat(program.pid()).isPositive();
    }
  }
}
