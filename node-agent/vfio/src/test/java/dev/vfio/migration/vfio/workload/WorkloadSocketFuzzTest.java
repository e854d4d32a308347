package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.vfio.user.DeviceSockets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** A workload that answers anything at all costs an error and nothing else. */
class WorkloadSocketFuzzTest {
  private static Path folder;
  private static Path device;
  private static ScriptedWorkload workload;

  @BeforeAll
  static void listen() throws IOException {
    folder = Files.createTempDirectory("workload-fuzz");
    device = Files.createDirectory(folder.resolve("gpu-0"));
    workload = new ScriptedWorkload(device.resolve("workload.sock"), "gpu-0", line -> null);
  }

  @AfterAll
  static void stop() throws IOException {
    workload.close();
    Files.deleteIfExists(device.resolve("workload.sock"));
    Files.delete(device);
    Files.delete(folder);
  }

  @FuzzTest(maxDuration = "1h")
  void anyAnswerIsUnderstoodOrRefused(byte[] answer) throws IOException {
    // Without the line's end the agent would wait until its timeout.
    String line = new String(answer, StandardCharsets.UTF_8) + "\n";
    workload.describing(line.stripTrailing() + " ");
    workload.answering(request -> line);
    workload.lines().clear();
    try (WorkloadSocket socket =
        new WorkloadSocket(
            new DeviceSockets(folder).workload("gpu-0"),
            4096,
            Duration.ofMinutes(1),
            new WindowDirectories(List.of(folder), "gpu-0"))) {
      refusedOr(socket::describe);
      refusedOr(() -> socket.pause("uid-1/1"));
    }
  }

  private interface Question {
    void ask() throws IOException;
  }

  private static void refusedOr(Question question) throws IOException {
    try {
      question.ask();
    } catch (WorkloadException refused) {
      assertThat(refused.getMessage()).isNotBlank();
    }
  }
}
